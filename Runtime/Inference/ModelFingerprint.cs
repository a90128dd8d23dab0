using System.Buffers.Binary;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using MambaRT.Formats;

namespace MambaRT.Runtime;

/// <summary>What tells one model from another without reading its weights: XxHash128 of metadata and tensor index.</summary>
internal static class ModelFingerprint
{
    /// <summary>Hashes every metadata entry and every tensor's name, shape and storage type.</summary>
    public static UInt128 Of(GgufMetadata metadata, Plan plan, IWeightSource weights)
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
        }
        return hash.GetCurrentHashAsUInt128();
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
