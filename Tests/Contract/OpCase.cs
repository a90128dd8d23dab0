using MambaRT.Formats;

namespace MambaRT.Tests;

/// <summary>How far a backend may stray from the reference.</summary>
/// <param name="Nmse">Normalised mean square error, Σ(a−b)² / Σb².</param>
/// <param name="Reason">Why it may.</param>
internal readonly record struct Bound(double Nmse, string Reason);

/// <summary>One case of the scan contract: a plan around one op, and how near its outputs and states must come.</summary>
/// <param name="Name">Unique; op, shape and variant.</param>
/// <param name="Output">Bound of the outputs.</param>
/// <param name="State">Bound of each state.</param>
/// <param name="Cuts">The ways to cut its tokens into batches.</param>
/// <param name="Define">Makes the weights and records the plan; returns the op's value, on Tokens rows.</param>
internal sealed record OpCase(string Name, Bound Output, Bound State, IReadOnlyList<BatchCut> Cuts, Func<CaseBuilder, Activation> Define)
{
    /// <summary>Makes weights and plan: the same ones at every call.</summary>
    public PreparedCase Prepare()
    {
        var builder = new CaseBuilder(Name);
        try
        {
            return new PreparedCase(builder.Finish(Define(builder)), builder.Weights);
        }
        catch
        {
            builder.Weights.Dispose();
            throw;
        }
    }

    public override string ToString() => Name;
}

/// <summary>A case ready to load on a backend.</summary>
internal sealed record PreparedCase(Plan Plan, MemoryWeights Weights) : IDisposable
{
    public void Dispose() => Weights.Dispose();
}

/// <summary>Part of a batch: the next <paramref name="Count"/> tokens of sequence 0 or 1.</summary>
internal readonly record struct Piece(int Sequence, int Count, OutputRows Outputs = OutputRows.All);

/// <summary>A way to cut two token sequences into batches.</summary>
internal sealed record BatchCut(string Name, params Piece[][] Batches)
{
    /// <summary>Sequences there are at most.</summary>
    public const int Sequences = 2;

    /// <summary>Tokens of one sequence that the cut feeds.</summary>
    public int Length(int sequence) => Batches.Sum(batch => batch.Where(piece => piece.Sequence == sequence).Sum(piece => piece.Count));

    /// <summary>Token <paramref name="index"/> of a sequence: seeded, below <see cref="CaseBuilder.Tokens"/>.</summary>
    public static int Token(int sequence, int index)
    {
        uint x = (uint)(index * 2 + sequence + 1) * 2654435761u;
        x = (x ^ x >> 15) * 2246822519u;
        return (int)((x ^ x >> 13) % CaseBuilder.Tokens);
    }
}
