using System.Runtime.InteropServices;
using MambaRT.Backends.Vulkan;
using Silk.NET.Vulkan;
using Xunit;

namespace MambaRT.Tests;

/// <summary>The shader that picks tokens gives the ids of <see cref="TokenPicker"/>, whatever the logits.</summary>
public sealed class VulkanPickTests : IDisposable
{
    private const int Rows = 6;

    private readonly VulkanDevice _device;
    private readonly PipelineLibrary _pipelines;

    public VulkanPickTests()
    {
        _device = new VulkanDevice(VulkanLoader.Instance.Devices[0], new VulkanSettings());
        _pipelines = new PipelineLibrary(_device, null);
    }

    public static TheoryData<int> Vocabularies => [5, 300, 5000, 50280];

    public void Dispose()
    {
        _pipelines.Dispose();
        _device.Dispose();
    }

    /// <summary>All kinds of logits by one device, as a driver may take seconds for its code.</summary>
    [MachineTheory(Needs.Vulkan)]
    [MemberData(nameof(Vocabularies))]
    public void Pick_AnyLogitsAndSettings_EqualsTheHost(int tokens)
    {
        using var picks = new Picks(_device, _pipelines, tokens, PickCases.Never(tokens), PickCases.Ends(tokens));
        foreach (string kind in PickCases.Kinds)
        {
            var random = new Random(tokens + kind.Length);
            for (int round = 0; round < (tokens > 10_000 ? 3 : 12); round++) PickCases.Check(random, kind, tokens, Rows, picks.Pick);
        }
    }

    [MachineFact(Needs.Vulkan)]
    public void Pick_OneLogitIsNotFinite_SaysSo()
    {
        using var device = new Picks(_device, _pipelines, 700, [5, 699], []);
        foreach (float value in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity })
        {
            foreach (int at in new[] { 0, 5, 698 })
            {
                float[] bad = PickCases.Row(new Random(1), "normal", 700);
                bad[at] = value;
                Assert.False(device.Pick([bad], [new TokenPick(0.8f, 40)], 9).Finite);
                Assert.True(device.Pick([PickCases.Row(new Random(1), "normal", 700)], [new TokenPick(0.8f, 40)], 9).Finite);
            }
        }
    }

    /// <summary>What picks need of a device, and nothing else.</summary>
    private sealed class Picks : IDisposable
    {
        private readonly CommandLane _lane;
        private readonly Transfers _transfers;
        private readonly BatchTable _table;
        private readonly HostPicked _picked;
        private readonly PickLists _lists;
        private readonly VulkanBuffer _logits, _last;
        private readonly RecordedCommands _commands;

        public Picks(VulkanDevice device, PipelineLibrary pipelines, int tokens, int[] never, int[] ends)
        {
            _lane = new CommandLane(device);
            _transfers = new Transfers(device, _lane);
            _table = new BatchTable(new BatchShape(Rows, Rows, Rows), device);
            _picked = new HostPicked(Rows, device);
            _lists = new PickLists(new HiddenTokens(tokens, never, ends), device, _transfers);
            _logits = new VulkanBuffer(device, (long)Rows * tokens * sizeof(float), MemoryPlace.Device, "logits");
            _last = new VulkanBuffer(device, (Rows + 1) * sizeof(int), MemoryPlace.Device, "last picks");
            _commands = new RecordedCommands(device, _lane, pipelines, [_lists.PickFrom(_logits.Whole, tokens, _table.Memory(0), _last.Whole, _picked, 0, Rows, Rows)], commands => _table.Send(0, commands), _ => { }, []);
        }

        public (int[] Tokens, bool Finite) Pick(float[][] rows, TokenPick[] picks, long position)
        {
            float[] all = [.. rows.SelectMany(r => r)];
            _transfers.Send(_logits, 0, (long)all.Length * sizeof(float), sizeof(float), (from, piece) => MemoryMarshal.AsBytes(all.AsSpan()).Slice((int)from, piece.Length).CopyTo(piece));
            SequenceSpan[] spans = [.. picks.Select((_, i) => new SequenceSpan(i + 1, position - 1, i, 1, OutputRows.Last))];
            _table.Fill(0, new Batch { Tokens = new int[picks.Length], Sequences = spans, Picks = picks, WantsLogits = false }, picks.Length, _lists.Tokens, 0);
            _picked.Forget(0);
            foreach (CommandBuffer part in _commands.Parts) _lane.Start(part, "picks");
            _lane.Wait("picks");
            return (_picked.Read(0)[..picks.Length].ToArray(), _picked.AreFinite(0));
        }

        public void Dispose()
        {
            _commands.Dispose();
            _last.Dispose();
            _logits.Dispose();
            _lists.Dispose();
            _picked.Dispose();
            _table.Dispose();
            _transfers.Dispose();
            _lane.Dispose();
        }
    }
}
