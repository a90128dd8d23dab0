using MambaRT.Backends.Cuda;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>The kernel that picks tokens gives the ids of <see cref="TokenPicker"/>, whatever the logits.</summary>
public sealed class CudaPickTests
{
    private const int Rows = 6;

    private static readonly float[] Temperatures = [0, 1e-45f, 1e-6f, 0.1f, 0.8f, 1, 2, 1e30f, float.MaxValue], Shares = [0, 1e-6f, 0.1f, 0.5f, 0.95f, 0.9999f, 1], Leasts = [0, 0, 1e-10f, 0.05f, 0.5f, 1];

    public static TheoryData<string, int> Logits
    {
        get
        {
            var rows = new TheoryData<string, int>();
            foreach (string kind in new[] { "normal", "flat", "ties", "equal", "spike", "far", "wide", "zeros", "tiny", "ascending" })
                foreach (int tokens in new[] { 5, 300, 5000, 50280 }) rows.Add(kind, tokens);
            return rows;
        }
    }

    [MachineTheory(Needs.Cuda)]
    [MemberData(nameof(Logits))]
    public void Pick_AnyLogitsAndSettings_EqualsTheHost(string kind, int tokens)
    {
        var random = new Random(tokens + kind.Length);
        int[] never = tokens < 300 ? [tokens - 1] : [3, 77, 200, tokens - 2, tokens - 1], ends = tokens < 300 ? [1] : [0, 150];
        using var device = new Device(tokens, never, ends);
        for (int round = 0; round < (tokens > 10_000 ? 3 : 12); round++)
        {
            float[][] rows = [.. Enumerable.Range(0, Rows).Select(_ => Row(random, kind, tokens))];
            TokenPick[] picks = [.. rows.Select(_ => Settings(random, tokens))];
            long position = random.NextInt64(1L << 40);
            (int[] found, bool finite) = device.Pick(rows, picks, position);
            Assert.True(finite);
            for (int i = 0; i < Rows; i++) Assert.True(OnHost(rows[i], picks[i], position, never, ends) == found[i], $"{kind}, {tokens} tokens, {picks[i]}: {found[i]}");
        }
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
            float[] bad = Row(new Random(1), "normal", 700);
            bad[at] = value;
            Assert.False(device.Pick([bad], [new TokenPick(0.8f, 40)], 9).Finite);
            Assert.True(device.Pick([Row(new Random(1), "normal", 700)], [new TokenPick(0.8f, 40)], 9).Finite);
        }
    }

    private static int OnHost(float[] row, TokenPick pick, long position, int[] never, int[] ends)
    {
        float[] logits = [.. row];
        foreach (int id in pick.NoEnds ? [.. never, .. ends] : never) logits[id] = float.NegativeInfinity;
        return new TokenPicker().Pick(logits, pick, position);
    }

    private static TokenPick Settings(Random random, int tokens)
    {
        int[] counts = [0, 0, 0, 1, 2, 40, 128, 129, tokens - 1, tokens, tokens + 5];
        T One<T>(T[] of) => of[random.Next(of.Length)];
        return new TokenPick(One(Temperatures), One(counts), One(Shares), One(Leasts), (ulong)random.NextInt64(), random.Next(2) == 0);
    }

    private static float[] Row(Random random, string kind, int tokens)
    {
        float Normal() => (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        float equal = Normal();
        float[] row = new float[tokens];
        for (int i = 0; i < tokens; i++)
            row[i] = kind switch
            {
                "normal" => 3 * Normal(),
                "flat" => 0.3f * Normal(),
                "ties" => random.Next(-4, 4) * 0.5f,
                "equal" => equal,
                "far" => -20 - 40 * random.NextSingle(),
                "wide" => (random.NextSingle() - 0.5f) * 2 * float.MaxValue,
                "zeros" => random.Next(3) switch { 0 => -0f, 1 => 0f, _ => -1e-30f },
                "tiny" => random.Next(-300, 300) * float.Epsilon,
                "ascending" => i * (20f / tokens),
                _ => -10 + Normal(),
            };
        if (kind is "spike" or "far") row[random.Next(tokens)] = 12;
        return row;
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
