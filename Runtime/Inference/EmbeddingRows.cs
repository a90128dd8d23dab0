using MambaRT.Formats;

namespace MambaRT;

/// <summary>The table that tokens are looked up in: which of its rows are known to be finite.</summary>
internal sealed class EmbeddingRows
{
    private readonly string _subject, _name;
    private readonly TensorView _view;
    private readonly int _vocabulary;
    private readonly ulong[] _finite;

    /// <param name="plan">The network; every plan begins with a table.</param>
    /// <param name="weights">Where it is read.</param>
    /// <param name="subject">What messages name.</param>
    public EmbeddingRows(Plan plan, IWeightSource weights, string subject)
    {
        (_name, _view) = TableOf(plan, weights);
        (_subject, _vocabulary) = (subject, plan.VocabularySize);
        _finite = new ulong[_vocabulary / 64 + 1];
    }

    /// <summary>Checks that tokens are in the vocabulary and their rows of the embedding finite, each row once.</summary>
    /// <exception cref="ArgumentException">A token is outside the vocabulary.</exception>
    /// <exception cref="FormatException">A row is not finite.</exception>
    public void Check(scoped ReadOnlySpan<int> tokens)
    {
        foreach (int token in tokens)
        {
            if ((uint)token >= (uint)_vocabulary)
                throw new ArgumentException($"Token {token} is outside the vocabulary of {_vocabulary}; ids run from 0 to {_vocabulary - 1}.", nameof(tokens));
            ref ulong known = ref _finite[token >> 6];
            if ((known >> token & 1) != 0) continue;
            if (!_view.AreFinite(token, 1)) throw FiniteWeights.NotFinite(_subject, _name, _view);
            known |= 1UL << token;
        }
    }

    private static (string, TensorView) TableOf(Plan plan, IWeightSource weights)
    {
        foreach (Op op in plan.Ops)
            if (op is EmbedOp embed && weights.TryGet(plan.Weights[embed.Table.Index].Name, out TensorView view)) return (plan.Weights[embed.Table.Index].Name, view);
        throw new InvalidOperationException("The plan has no embedding.");
    }
}
