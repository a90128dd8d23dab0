using System.Buffers.Binary;
using MambaRT.Formats;

namespace MambaRT.Tests;

/// <summary>Makes seeded weights and records a plan around one op.</summary>
internal sealed class CaseBuilder
{
    /// <summary>Rows of the embedding table that feeds every case: token ids run below it.</summary>
    public const int Tokens = 64;

    private readonly Random _random;

    public CaseBuilder(string name)
    {
        int seed = 17;
        foreach (char c in name) seed = unchecked(seed * 31 + c);
        _random = new Random(seed);
        var metadata = new GgufMetadata(name);
        metadata.Set("general.architecture", "case");
        Plan = new PlanBuilder(new ModelMetadata(metadata), Weights);
    }

    /// <summary>Where the ops are recorded.</summary>
    public PlanBuilder Plan { get; }

    /// <summary>The weights so far.</summary>
    public MemoryWeights Weights { get; } = new();

    /// <summary>A table of <paramref name="width"/> float columns, looked up by token: what feeds the op.</summary>
    /// <param name="width">Columns.</param>
    /// <param name="scale">Values lie within ±scale.</param>
    /// <param name="special">Changes row and column to a value of its own, or returns null.</param>
    public Activation Input(int width, float scale = 1, Func<int, int, float?>? special = null)
    {
        float[] values = Values(Tokens * width, -scale, scale);
        if (special is not null)
            for (int i = 0; i < values.Length; i++) values[i] = special(i / width, i % width) ?? values[i];
        Weights.Add("input", QuantTypes.F32, Tokens, width, values);
        return Plan.Embed("input", Plan.Matrix("input", Tokens, width, WeightRole.Embedding));
    }

    /// <summary>A vector of floats.</summary>
    public WeightRef Vector(string name, int length, float low, float high)
    {
        Weights.Add(name, QuantTypes.F32, 1, length, Values(length, low, high));
        return Plan.Vector(name, length);
    }

    /// <summary>A small float matrix: convolution taps, A.</summary>
    public WeightRef Small(string name, int rows, int columns, float low, float high)
    {
        Weights.Add(name, QuantTypes.F32, rows, columns, Values(rows * columns, low, high));
        return Plan.Matrix(name, rows, columns, WeightRole.SmallMatrix);
    }

    /// <summary>A projection or table in any storage type: floats are drawn and encoded, blocks are drawn bit by bit, so that every code occurs.</summary>
    public WeightRef Matrix(string name, QuantType type, int rows, int columns, WeightRole role = WeightRole.In)
    {
        if (type.BlockLength == 1) Weights.Add(name, type, rows, columns, Values(rows * columns, -1, 1));
        else Weights.AddRaw(name, type, rows, columns, Blocks(type, rows, columns));
        return Plan.Matrix(name, rows, columns, role);
    }

    /// <summary>The middle third of such a projection's columns.</summary>
    public WeightRef MatrixColumns(string name, QuantType type, int rows, int columns)
    {
        Matrix(name, type, rows, 3 * columns);
        return Plan.MatrixColumns(name, rows, 3 * columns, WeightRole.In, columns, columns);
    }

    /// <summary>Ends the plan: rows of outputs, and a float head where the op is too narrow for the token ids to be known.</summary>
    public Plan Finish(Activation value)
    {
        Activation rows = Plan.SelectOutputs("outputs", value);
        if (rows.Width < Tokens) rows = Plan.Linear("head", rows, Matrix("head", QuantTypes.F32, Tokens, rows.Width));
        return Plan.Build(rows);
    }

    private float[] Values(int count, float low, float high)
    {
        var values = new float[count];
        for (int i = 0; i < count; i++) values[i] = low + (high - low) * _random.NextSingle();
        return values;
    }

    private byte[] Blocks(QuantType type, int rows, int columns)
    {
        byte[] bytes = new byte[type.RowBytes(columns) * rows];
        _random.NextBytes(bytes);
        if (type == QuantTypes.IQ1_M || type == QuantTypes.MXFP4)
        {
            SetExponents(type, bytes);
            return bytes;
        }
        int[] scales = Scales(type);
        for (int at = 0; at < bytes.Length; at += type.BlockBytes)
            for (int i = 0; i < scales.Length; i++)
            {
                // The first is the scale, of either sign; the second the scale of the minima, which is never negative.
                float scale = (0.5f + _random.NextSingle()) / 1024 * (i == 0 && _random.Next(2) == 0 ? -1 : 1);
                BinaryPrimitives.WriteHalfLittleEndian(bytes.AsSpan(at + scales[i]), (Half)scale);
            }
        return bytes;
    }

    /// <summary>The types whose scale is no half in one piece: scales between 2^-11 and 2^-9, of either sign where there is one.</summary>
    private void SetExponents(QuantType type, Span<byte> bytes)
    {
        for (int at = 0; at < bytes.Length; at += type.BlockBytes)
        {
            if (type == QuantTypes.MXFP4)
            {
                bytes[at] = (byte)(128 - 11 + _random.Next(3));
                continue;
            }
            // The scale's top four bits (sign, first three of the exponent) and the next four lie in the upper halves of two bytes.
            ref byte top = ref bytes[at + 55], next = ref bytes[at + 53];
            top = (byte)(top & 0x8f | 0x10);
            next = (byte)(next & 0x7f);
        }
    }

    /// <summary>Where the half-precision scales of a block lie.</summary>
    private static int[] Scales(QuantType type) => type.Name switch
    {
        "Q4_0" or "Q5_0" or "Q8_0" or "IQ4_NL" or "IQ4_XS" or "IQ1_S" or "IQ2_XXS" or "IQ2_XS" or "IQ2_S" or "IQ3_XXS" or "IQ3_S" => [0],
        "Q4_1" or "Q5_1" or "Q4_K" or "Q5_K" => [0, 2],
        "Q2_K" => [80, 82],
        "Q3_K" => [108],
        "Q6_K" => [208],
        "TQ1_0" => [52],
        "TQ2_0" => [64],
        _ => throw new NotSupportedException($"The contract does not know where {type.Name} keeps its scales; add it here."),
    };
}
