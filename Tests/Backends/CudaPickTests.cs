using MambaRT.Backends.Cuda;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>The kernel that picks tokens gives the ids of <see cref="TokenPicker"/>, whatever the logits.</summary>
public sealed class CudaPickTests
{
    private const int Rows = 6;

    [MachineTheory(Needs.Cuda)]
    [MemberData(nameof(PickCases.Logits), MemberType = typeof(PickCases))]
    public void Pick_AnyLogitsAndSettings_EqualsTheHost(string kind, int tokens)
    {
        var random = new Random(tokens + kind.Length);
        using var device = new Device(tokens, PickCases.Never(tokens), PickCases.Ends(tokens));
        for (int round = 0; round < (tokens > 10_000 ? 3 : 12); round++) PickCases.Check(random, kind, tokens, Rows, device.Pick);
    }

    [MachineTheory(Needs.Cuda)]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void Pick_OneLogitIsNotFinite_SaysSo(float value)
    {
        using var device = new Device(700, [5, 699], []);
        foreach (int at in new[] { 0, 5, 698 })
        {
            float[] bad = PickCases.Row(new Random(1), "normal", 700);
            bad[at] = value;
            Assert.False(device.Pick([bad], [new TokenPick(0.8f, 40)], 9).Finite);
            Assert.True(device.Pick([PickCases.Row(new Random(1), "normal", 700)], [new TokenPick(0.8f, 40)], 9).Finite);
        }
    }

    /// <summary>A device with nothing on it but what picks need.</summary>
    private sealed unsafe class Device : IDisposable
    {
        private readonly CudaContext _context = new(0);
        private readonly KernelLibrary _kernels;
        private readonly CudaStream _stream = new();
        private readonly DeviceSlots _slots;
        private readonly BatchTable _table = new(new BatchShape(Rows, Rows, Rows));
        private readonly HostPicked _picked = new(Rows);
        private readonly PickLists _lists;
        private readonly CudaDeviceMemory _logits;
        private readonly LaunchList _launches;
        private readonly int _tokens;

        public Device(int tokens, int[] never, int[] ends)
        {
            using TinyWeights tiny = TinyModels.Make("mamba-tied", QuantTypes.F32);
            _tokens = tokens;
            _kernels = new KernelLibrary(_context, 90);
            _slots = new DeviceSlots(Architecture.Record(tiny.Metadata, tiny.Weights).States, _stream, long.MaxValue);
            _slots.Reserve(Rows);
            _lists = new PickLists(tokens, never, ends, _stream);
            _logits = new CudaDeviceMemory((long)Rows * tokens * sizeof(float), "logits");
            _launches = new LaunchList(early: false);
            _lists.AddPick(_launches, _kernels, _table, Rows, new MatrixPointer { Data = _logits.Address, Stride = tokens, Width = tokens }, _slots, _picked, 0);
        }

        public (int[] Tokens, bool Finite) Pick(float[][] rows, TokenPick[] picks, long position)
        {
            for (int i = 0; i < rows.Length; i++)
                fixed (float* from = rows[i]) _stream.CopyToDevice(_logits.Address + (ulong)((long)i * _tokens * sizeof(float)), from, _tokens * sizeof(float));
            SequenceSpan[] spans = [.. picks.Select((_, i) => new SequenceSpan(i + 1, position - 1, i, 1, OutputRows.Last))];
            _table.Fill(0, new Batch { Tokens = new int[picks.Length], Sequences = spans, Picks = picks, WantsLogits = false }, picks.Length, _slots, _lists);
            _picked.Forget(0);
            _table.Send(0, _stream);
            _launches.Run(_stream, 0, _launches.Count);
            _stream.Synchronize();
            return (_picked.Read(0)[..picks.Length].ToArray(), _picked.AreFinite(0));
        }

        public void Dispose()
        {
            _logits.Dispose();
            _lists.Dispose();
            _picked.Dispose();
            _table.Dispose();
            _slots.Dispose();
            _stream.Dispose();
            _kernels.Dispose();
            _context.Dispose();
        }
    }
}
