using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Small GGUF files made in the test.</summary>
internal static class GgufSamples
{
    internal const string Subject = "model.gguf";

    /// <summary>One entry of every value type, and arrays of every type, nested ones included.</summary>
    internal static GgufMetadata AllTypes()
    {
        var metadata = new GgufMetadata("sample");
        object[] values =
        [
            byte.MaxValue, sbyte.MinValue, ushort.MaxValue, short.MinValue, uint.MaxValue, int.MinValue, -1.5f, true, "Zażółć 🦎\n", ulong.MaxValue, long.MinValue, Math.PI,
            new byte[] { 1, 255 }, new sbyte[] { -1, 127 }, new ushort[] { 65535 }, new short[] { -2, 3 }, new uint[] { uint.MaxValue }, new int[] { -5, 6 },
            new float[] { 1.25f, float.MaxValue }, new bool[] { true, false, true }, new string[] { "", "a", "Ġthe" }, new ulong[] { ulong.MaxValue },
            new long[] { long.MinValue }, new double[] { double.Epsilon }, Array.Empty<string>(),
            new GgufValue[] { GgufValue.Of(new int[] { 1, 2 }), GgufValue.Of(new GgufValue[] { GgufValue.Of(new string[] { "deep" }) }) },
        ];
        for (int i = 0; i < values.Length; i++) metadata.Set($"test.value{i}", values[i]);
        return metadata;
    }

    /// <summary>Three tensors of 1, 2 and 3 dimensions; value i of tensor t is t·100 + i.</summary>
    internal static GgufWriter Writer(GgufMetadata metadata, string prefix = "")
    {
        var writer = new GgufWriter(metadata);
        AddTensor(writer, prefix + "vector.f16", QuantTypes.F16, 0, 5);
        AddTensor(writer, prefix + "matrix.f32", QuantTypes.F32, 1, 4, 3);
        AddTensor(writer, prefix + "cube.bf16", QuantTypes.BF16, 2, 4, 3, 2);
        return writer;
    }

    internal static byte[] Bytes(GgufWriter writer)
    {
        using var stream = new MemoryStream();
        writer.WriteTo(stream);
        return stream.ToArray();
    }

    internal static NativeBuffer Native(ReadOnlySpan<byte> bytes)
    {
        var buffer = new NativeBuffer(bytes.Length);
        bytes.CopyTo(buffer.Span<byte>(0, bytes.Length));
        return buffer;
    }

    internal static GgufFile Parse(ReadOnlySpan<byte> bytes) => GgufFile.Parse(Subject, Native(bytes));

    internal static float[] Values(IWeightSource source, string name)
    {
        Assert.True(source.TryGet(name, out TensorView view), name);
        var values = new float[view.Rows * view.Columns];
        for (int i = 0; i < view.Rows; i++) view.DecodeRow(i, values.AsSpan(i * view.Columns, view.Columns));
        return values;
    }

    private static void AddTensor(GgufWriter writer, string name, QuantType type, int number, params long[] dimensions)
    {
        float[] values = [.. Enumerable.Range(0, (int)dimensions.Aggregate((a, b) => a * b)).Select(i => number * 100f + i)];
        var bytes = new byte[type.RowBytes(values.Length)];
        type.EncodeRow(values, [], bytes);
        writer.AddTensor(name, type, dimensions, stream => stream.Write(bytes));
    }
}
