using System.Buffers.Binary;
using System.IO.Hashing;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>State files: only whole, undamaged files of the same model are taken, and a refusal changes nothing.</summary>
public sealed class SnapshotTests : IDisposable
{
    private readonly TinyRun _run = new(TestBackends.Reference, "mamba-tied", QuantTypes.F32);
    private readonly TemporaryFolder _folder = new();
    private readonly Session _session;

    public SnapshotTests() => _session = _run.Stepped(TinyModels.Tokens(5));

    public void Dispose()
    {
        _session.Dispose();
        _run.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void ReadFile_AfterWriteFile_GivesStateAndAttachmentBack()
    {
        byte[] attachment = [.. Enumerable.Range(0, 300).Select(i => (byte)i)];
        StateSnapshot saved = _session.Save(attachment);
        saved.WriteFile(_folder["a.state"]);
        StateSnapshot read = StateSnapshot.ReadFile(_folder["a.state"]);
        Assert.Equal(5, read.Position);
        Assert.Equal(_run.Model.Fingerprint, read.Fingerprint);
        Assert.Equal(saved.State.ToArray(), read.State.ToArray());
        Assert.Equal(attachment, read.Attachment.ToArray());
        Assert.Equal(_run.Model.StateBytes, read.State.Length);
        Assert.Empty(_session.Save().Attachment.ToArray());
    }

    [Fact]
    public void Restore_AnotherModelsState_IsRefusedAndChangesNothing()
    {
        byte[] before = _session.Save().ToBytes();
        using var other = new TinyRun(TestBackends.Reference, "mamba-tied", QuantTypes.F32, edit: t => t.Name == "output_norm.weight" ? t with { Rows = 64, Columns = 1 } : t);
        using var quantized = new TinyRun(TestBackends.Reference, "mamba-tied", QuantTypes.Q8_0);
        using var renamed = new TinyRun(TestBackends.Reference, "falcon", QuantTypes.F32);
        foreach (TinyRun run in new[] { other, quantized, renamed })
        {
            using Session stranger = run.Stepped(TinyModels.Tokens(2));
            StateSnapshot snapshot = stranger.Save();
            Assert.Contains("belongs to another model", Assert.Throws<FormatException>(() => _session.Restore(snapshot)).Message);
            Assert.Throws<ArgumentException>(() => _session.CopyFrom(stranger));
        }
        Assert.Equal(before, _session.Save().ToBytes());
    }

    [Fact]
    public void Restore_StateOfTheSameModelWithOtherWeights_IsRefusedWhicheverTensorDiffers()
    {
        foreach (TinyTensor tensor in TinyModels.Tensors("mamba-tied"))
        {
            using var other = new TinyRun(TestBackends.Reference, "mamba-tied", QuantTypes.F32, edit: t => t.Name == tensor.Name ? t with { High = t.High * 0.99f } : t);
            using Session stranger = other.Stepped(TinyModels.Tokens(2));
            StateSnapshot snapshot = stranger.Save();
            Assert.Contains("belongs to another model", Assert.Throws<FormatException>(() => _session.Restore(snapshot)).Message);
        }
    }

    [Fact]
    public void Restore_StateOfAnEarlierVersion_IsTakenAndSaidNotToNameTheWeights()
    {
        StateSnapshot saved = _session.Save();
        var old = new StateSnapshot(_run.Model.OldFingerprint, saved.Position, saved.State, saved.Attachment);
        Assert.NotEqual(saved.Fingerprint, old.Fingerprint);
        Assert.False(_session.Restore(old));
        Assert.True(_session.Restore(saved));
        Assert.Equal(saved.ToBytes(), _session.Save().ToBytes());
    }

    [Fact]
    public void Parse_TruncatedAnywhereOrLengthened_IsRefused()
    {
        byte[] whole = _session.Save([1, 2, 3]).ToBytes();
        for (int length = 0; length < whole.Length; length++)
        {
            byte[] cut = whole[..length];
            Assert.StartsWith("cut.state: ", Assert.Throws<FormatException>(() => StateSnapshot.Parse(cut, "cut.state")).Message);
        }
        Assert.Throws<FormatException>(() => StateSnapshot.Parse((byte[])[.. whole, 0], "longer"));
    }

    [Fact]
    public void Parse_AnyByteFlipped_IsRefused()
    {
        byte[] bytes = _session.Save([1, 2, 3]).ToBytes();
        for (int i = 0; i < bytes.Length; i++)
        {
            byte flip = (byte)(1 << i % 8);
            bytes[i] ^= flip;
            Assert.StartsWith("flipped.state: ", Assert.Throws<FormatException>(() => StateSnapshot.Parse(bytes, "flipped.state")).Message);
            bytes[i] ^= flip;
        }
        Assert.Equal(5, StateSnapshot.Parse(bytes, "whole").Position);
    }

    [Theory]
    [InlineData(8, 2)]                        // layout version
    [InlineData(12, 1)]                       // value type
    [InlineData(32, -1)]                      // position
    [InlineData(32, long.MaxValue)]
    [InlineData(40, -4)]                      // state bytes
    [InlineData(40, long.MaxValue)]
    [InlineData(40, 1L << 40)]
    [InlineData(48, -1)]                      // attachment bytes
    [InlineData(48, long.MaxValue)]
    [InlineData(48, long.MinValue)]
    public void Parse_LyingHeaderWithRightChecksum_IsRefused(int offset, long value)
    {
        byte[] bytes = _session.Save([1, 2, 3]).ToBytes();
        if (offset < 16) BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(offset), (int)value);
        else BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(offset), value);
        Rehash(bytes);
        Assert.Throws<FormatException>(() => StateSnapshot.Parse(bytes, "lying.state"));
    }

    [Fact]
    public void Restore_StateOfAnotherSizeWithRightFingerprint_IsRefusedAndChangesNothing()
    {
        byte[] before = _session.Save([1, 2, 3, 4]).ToBytes();
        byte[] bytes = [.. before];
        // Four bytes of the state are declared to be part of the attachment.
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(40), _run.Model.StateBytes - 4);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(48), 8);
        Rehash(bytes);
        StateSnapshot shorter = StateSnapshot.Parse(bytes, "shorter.state");
        Assert.Contains($"has {_run.Model.StateBytes - 4} bytes", Assert.Throws<FormatException>(() => _session.Restore(shorter)).Message);
        Assert.Equal(before, _session.Save([1, 2, 3, 4]).ToBytes());
    }

    [Fact]
    public void ReadFile_NoStateFile_IsRefusedByPath()
    {
        Assert.Throws<FileNotFoundException>(() => StateSnapshot.ReadFile(_folder["none.state"]));
        foreach (byte[] content in new byte[][] { [], new byte[71], new byte[72], new byte[5000] })
        {
            File.WriteAllBytes(_folder["bad.state"], content);
            Assert.StartsWith(_folder["bad.state"] + ": ", Assert.Throws<FormatException>(() => StateSnapshot.ReadFile(_folder["bad.state"])).Message);
        }
    }

    [Fact]
    public void WriteFile_OverAnOldFile_ReplacesItAndLeavesNothingBeside()
    {
        _session.Save(new byte[9]).WriteFile(_folder["a.state"]);
        _session.Save().WriteFile(_folder["a.state"]);
        Assert.Empty(StateSnapshot.ReadFile(_folder["a.state"]).Attachment.ToArray());
        Assert.Equal(5, StateSnapshot.ReadFile(_folder["a.state"]).Position);
        Assert.Equal(["a.state"], _folder.Files);
    }

    [Fact]
    public void WriteFile_OverAFileOfAnotherKind_IsRefused()
    {
        File.WriteAllText(_folder["a.txt"], "MRTSTAT and no more");
        File.WriteAllText(_folder["empty"], "");

        Assert.Contains("not a saved state", Assert.Throws<IOException>(() => _session.Save().WriteFile(_folder["a.txt"])).Message);
        _session.Save().WriteFile(_folder["empty"]);

        Assert.Equal("MRTSTAT and no more", File.ReadAllText(_folder["a.txt"]));
        Assert.Equal(5, StateSnapshot.ReadFile(_folder["empty"]).Position);
    }

    [Fact]
    public void WriteFile_ThatCannotBeWritten_FailsAndLeavesNothing()
    {
        StateSnapshot snapshot = _session.Save();
        string missing = _folder["none/a.state"];
        Assert.Contains(_folder["none"], Assert.Throws<DirectoryNotFoundException>(() => snapshot.WriteFile(missing)).Message);
        Directory.CreateDirectory(_folder["taken"]);
        Assert.ThrowsAny<SystemException>(() => snapshot.WriteFile(_folder["taken"]));
        Assert.Empty(_folder.Files);
        Assert.True(Directory.Exists(_folder["taken"]));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Restore_StateThatIsNotFinite_IsTakenAndRefusedByTheNextRun(float value)
    {
        byte[] bytes = _session.Save().ToBytes();
        for (int i = 56; i < bytes.Length - 16; i += 4) BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(i), value);
        Rehash(bytes);
        using Session session = _run.Model.StartSession();
        session.Restore(StateSnapshot.Parse(bytes, "wild.state"));
        Assert.Contains("a saved state that was restored", Assert.Throws<FormatException>(() => session.Feed([1])).Message);
        session.Reset();
        Assert.True(float.IsFinite(session.Feed(new[] { 1 })[0]));
    }

    private static void Rehash(byte[] bytes) => XxHash128.Hash(bytes.AsSpan(0, bytes.Length - 16), bytes.AsSpan(bytes.Length - 16));
}
