using System.Buffers.Binary;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

public sealed class GgufMutationTests
{
    private const int Attempts = 50_000;
    private const long MostBytes = 1 << 18;   // a header of a few KiB may cost this much, whatever it claims

    [Fact]
    public void Open_MutatedHeader_SucceedsOrRefusesInOneLine()
    {
        byte[] original = Sample(out int headerBytes);
        byte[] bytes = new byte[original.Length];
        var random = new Random(20240601);
        int opened = 0, refused = 0;
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            original.CopyTo(bytes, 0);
            for (int n = random.Next(1, 4); n > 0; n--) Mutate(random, bytes.AsSpan(0, headerBytes));
            int length = random.Next(10) == 0 ? random.Next(bytes.Length) : bytes.Length;
            if (Opens(bytes.AsSpan(0, length), attempt)) opened++;
            else refused++;
        }
        Assert.True(opened > Attempts / 100, $"{opened} of {Attempts} opened: the mutations are too coarse to reach far");
        Assert.True(refused > Attempts / 100, $"{refused} of {Attempts} refused: the mutations are too fine");
    }

    private static bool Opens(ReadOnlySpan<byte> bytes, int attempt)
    {
        NativeBuffer memory = GgufSamples.Native(bytes);
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            using GgufFile file = GgufFile.Parse(GgufSamples.Subject, memory);
            ReadEverything(file);
            return true;
        }
        catch (Exception e) when (e is FormatException or NotSupportedException)
        {
            Assert.StartsWith("model.gguf: ", e.Message);
            Assert.DoesNotContain(e.Message, char.IsControl);
            Assert.InRange(e.Message.Length, 20, 600);
            return false;
        }
        finally
        {
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MostBytes);
            Assert.True(memory.Bytes == bytes.Length, $"attempt {attempt}");
        }
    }

    /// <summary>What was accepted can be read: every view lies in the file and decodes.</summary>
    private static void ReadEverything(GgufFile file)
    {
        var values = new float[64];
        foreach (GgufTensorInfo tensor in file.Tensors)
        {
            Assert.True(file.TryGet(tensor.Name, out TensorView view));
            Assert.InRange(tensor.Offset, 0, file.FileBytes - view.Bytes);
            for (int row = 0; row < view.Rows; row++)
            {
                if (values.Length < view.Columns) values = new float[view.Columns];
                view.DecodeRow(row, values.AsSpan(0, view.Columns));
            }
        }
    }

    private static void Mutate(Random random, Span<byte> header)
    {
        ulong[] absurd = [0, 1, 2, 7, 255, 256, 65536, int.MaxValue, 1UL << 31, uint.MaxValue, 1UL << 32, long.MaxValue, 1UL << 63, ulong.MaxValue, ulong.MaxValue - 31];
        int at = random.Next(header.Length);
        switch (random.Next(6))
        {
            case 0: header[at] ^= (byte)(1 << random.Next(8)); break;
            case 1: header[at] = (byte)random.Next(256); break;
            case 2: header[at] += (byte)(random.Next(2) == 0 ? 1 : 255); break;
            case 3 when at <= header.Length - 8: BinaryPrimitives.WriteUInt64LittleEndian(header[at..], absurd[random.Next(absurd.Length)]); break;
            case 4 when at <= header.Length - 4: BinaryPrimitives.WriteUInt32LittleEndian(header[at..], (uint)absurd[random.Next(absurd.Length)]); break;
            default:   // a piece copied over another one: repeated keys, names and whole entries
                int length = random.Next(1, Math.Min(40, header.Length - at) + 1);
                header.Slice(at, length).CopyTo(header[random.Next(header.Length - length + 1)..]);
                break;
        }
    }

    private static byte[] Sample(out int headerBytes)
    {
        GgufMetadata metadata = GgufSamples.AllTypes();
        metadata.Set("general.alignment", 32u);
        metadata.Set("tokenizer.ggml.tokens", Enumerable.Range(0, 64).Select(i => $"token{i}").ToArray());
        byte[] bytes = GgufSamples.Bytes(GgufSamples.Writer(metadata));
        using GgufFile file = GgufSamples.Parse(bytes);
        headerBytes = (int)file.Tensors[0].Offset;
        return bytes;
    }
}
