using System.Buffers.Binary;
using System.IO.Compression;
using MambaRT.Backends.Cuda;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Kernels as they are packed in the assemblies.</summary>
public sealed class PackedResourceTests
{
    [Fact]
    public void Read_EveryKernelOfCuda_IsPtx()
    {
        string[] names = [.. typeof(CudaBackend).Assembly.GetManifestResourceNames().Where(n => n.StartsWith("ptx/", StringComparison.Ordinal))];
        Assert.NotEmpty(names);
        foreach (string name in names) Assert.StartsWith(".version", System.Text.Encoding.ASCII.GetString(PackedResource.Read(typeof(CudaBackend).Assembly, name)!), StringComparison.Ordinal);
        Assert.Null(PackedResource.Read(typeof(CudaBackend).Assembly, "ptx/sm_75/none.ptx"));
    }

    [Fact]
    public void Unpack_ManyTimesThePackedSize_IsWhole()
    {
        byte[] text = new byte[100_000];
        for (int i = 0; i < text.Length; i += 4) BinaryPrimitives.WriteInt32LittleEndian(text.AsSpan(i), i / 4000);
        Assert.Equal(text, PackedResource.Unpack(Pack(text))!);
        Assert.Equal([], PackedResource.Unpack(Pack([]))!);
    }

    [Fact]
    public void Unpack_CutOrLengthened_IsRefused()
    {
        byte[] packed = Pack([.. Enumerable.Range(0, 5000).Select(i => (byte)(i * i >> 3))]);
        Assert.Null(PackedResource.Unpack(packed.AsSpan(0, packed.Length - 1)));
        Assert.Null(PackedResource.Unpack(packed.AsSpan(0, packed.Length / 2)));
        Assert.Null(PackedResource.Unpack([.. packed, 0]));
        Assert.Null(PackedResource.Unpack([]));
    }

    private static byte[] Pack(byte[] bytes)
    {
        byte[] packed = new byte[BrotliEncoder.GetMaxCompressedLength(bytes.Length)];
        Assert.True(BrotliEncoder.TryCompress(bytes, packed, out int written));
        return packed[..written];
    }
}
