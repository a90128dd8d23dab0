using MambaRT.Formats;

namespace MambaRT.Backends.Vulkan;

/// <summary>What a model takes of a device's memory, known before anything is placed there.</summary>
internal static class MemoryNeed
{
    /// <summary>What the driver keeps beside what it is asked for, as a share of what is free.</summary>
    private const int ReservedShare = 50;

    /// <summary>Why it does not fit, as a sentence; null where it does.</summary>
    /// <param name="plan">The network.</param>
    /// <param name="source">Its weights.</param>
    /// <param name="chunk">Rows that prompts are fed in.</param>
    /// <param name="device">What it is to be placed on.</param>
    public static string? WhyNot(Plan plan, IWeightSource source, int chunk, VulkanDevice device)
    {
        long bytes = BytesOf(plan, source, chunk, device), free = device.Traits.FreeBytes, usable = free - free / ReservedShare;
        return bytes <= usable ? null
            : $"The model needs {Mebibytes(bytes)} MiB on the device and {usable >> 20:n0} MiB are free: {Mebibytes(bytes - usable)} MiB are missing; take a smaller storage type, or {SplitBackend.WayOut(plan, piece => BytesOf(piece, source, chunk, device) <= usable)}choose --backend cpu.";
    }

    private static string Mebibytes(long bytes) => $"{(bytes + (1 << 20) - 1) >> 20:n0}";

    private static long BytesOf(Plan plan, IWeightSource source, int chunk, VulkanDevice device) =>
        WeightsOf(plan, source) + ScratchOf(plan, source, chunk, device) + 2 * plan.States.Bytes(0);   // a session's state, and the slot that belongs to none

    private static long WeightsOf(Plan plan, IWeightSource source)
    {
        long bytes = 0;
        foreach (WeightSpec spec in plan.Weights)
            if (spec.TryFind(source, out TensorView view)) bytes += DeviceWeights.BytesOf(WeightForm.For(spec, view), view);
        return bytes;
    }

    private static long ScratchOf(Plan plan, IWeightSource source, int chunk, VulkanDevice device) =>
        ArenaMemory.BytesOf(plan, chunk) + HalfScratch.BytesOf(plan, weight => FormOf(plan.Weights[weight.Index], source), chunk, device) + (device.RelayGroups > 0 ? RelayProgram.MostBytes(plan) : 0);

    private static WeightForm? FormOf(WeightSpec spec, IWeightSource source) => spec.TryFind(source, out TensorView view) ? WeightForm.For(spec, view) : null;

    /// <summary>What so many sessions take, with prompts by chunks and batches of any number of them, up to a chunk's rows.</summary>
    public static MemoryUse Use(Plan plan, IWeightSource source, int chunk, VulkanDevice device, int sessions)
    {
        const long Tables = 256 << 10;   // of an executable, beside its values
        long one = ScratchOf(plan, source, chunk, device) + Tables, scratch = one;
        for (int rows = 2; rows / 2 < Math.Min(sessions, chunk); rows *= 2) scratch += one + (long)plan.VocabularySize * rows * sizeof(float);   // each has its own
        long states = DeviceSlots.MostBytes(plan.States, sessions + 1L);   // one slot belongs to none
        return new MemoryUse(DevicePool.MostBytes(WeightsOf(plan, source), 2 * plan.Weights.Length), states, scratch, OnDevice: true);
    }
}
