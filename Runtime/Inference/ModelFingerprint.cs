using System.Buffers.Binary;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using MambaRT.Formats;

namespace MambaRT;

/// <summary>What tells one model from another without reading all of its weights: XxHash128 of metadata, tensor index, and 4 KiB of each tensor.</summary>
/// <remarks>Fine-tuning, merging and quantizing change every tensor they touch all over, so pieces of it tell. Four places cost four pages of the file a tensor.</remarks>
internal static class ModelFingerprint
{
    private const int Pieces = 4, PieceBytes = 1024;

    /// <summary>Hashes every metadata entry and every tensor's name, shape, storage type and samples.</summary>
    public static UInt128 Of(GgufMetadata metadata, Plan plan, IWeightSource weights) => Of(metadata, plan, weights, withSamples: true);

    /// <summary>The same without samples, as state files of earlier versions have it: it does not tell fine-tuned models apart.</summary>
    public static UInt128 WithoutWeights(GgufMetadata metadata, Plan plan, IWeightSource weights) => Of(metadata, plan, weights, withSamples: false);

    private static UInt128 Of(GgufMetadata metadata, Plan plan, IWeightSource weights, bool withSamples)
    {
        var hash = new XxHash128();
        foreach ((string key, GgufValue value) in metadata.Entries)
        {
            Append(hash, key);
            Append(hash, (long)value.Type << 32 | (long)value.ElementType);
            AppendValue(hash, value.Value);
        }
        foreach (WeightSpec spec in plan.Weights)
        {
            if (!weights.TryGet(spec.Name, out TensorView view)) continue;
            Append(hash, spec.Name);
            Append(hash, view.Rows);
            Append(hash, view.Columns);
            Append(hash, view.Type.GgufId);
            if (withSamples) AppendSamples(hash, view);
        }
        return hash.GetCurrentHashAsUInt128();
    }

    /// <summary>Pieces spread evenly from the first byte to the last, or all of a small tensor.</summary>
    private static void AppendSamples(XxHash128 hash, in TensorView view)
    {
        if (view.Bytes <= Pieces * PieceBytes)
        {
            hash.Append(view.Part(0, (int)view.Bytes));
            return;
        }
        for (int i = 0; i < Pieces; i++) hash.Append(view.Part((view.Bytes - PieceBytes) * i / (Pieces - 1), PieceBytes));
    }

    private static void AppendValue(XxHash128 hash, object value)
    {
        switch (value)
        {
            case string text: Append(hash, text); break;
            case string[] texts:
                Append(hash, texts.Length);
                foreach (string text in texts) Append(hash, text);
                break;
            case float[] floats: hash.Append(MemoryMarshal.AsBytes(floats.AsSpan())); break;
            case int[] ints: hash.Append(MemoryMarshal.AsBytes(ints.AsSpan())); break;
            case Array items:
                Append(hash, items.Length);
                foreach (object? item in items) AppendValue(hash, item is GgufValue nested ? nested.Value : item!);   // elements are never null
                break;
            case IFormattable number: Append(hash, number.ToString(null, System.Globalization.CultureInfo.InvariantCulture)); break;
            default: Append(hash, value.ToString() ?? ""); break;
        }
    }

    private static void Append(XxHash128 hash, string text)
    {
        Append(hash, text.Length);
        hash.Append(Encoding.UTF8.GetBytes(text));
    }

    private static void Append(XxHash128 hash, long number)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        hash.Append(bytes);
    }
}
