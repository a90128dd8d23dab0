using MambaRT.Formats;

namespace MambaRT.Backends.Vulkan;

/// <summary>What a model takes of a device's memory, known before anything is placed there.</summary>
internal static class MemoryNeed
{
    /// <summary>What other programs and the driver itself hold, as a share of the memory: Vulkan does not say what is free.</summary>
    private const int ReservedShare = 10;

    /// <summary>Why it does not fit, as a sentence; null where it does.</summary>
    /// <param name="plan">The network.</param>
    /// <param name="source">Its weights.</param>
    /// <param name="chunk">Rows that prompts are fed in.</param>
    /// <param name="traits">The device.</param>
    /// <param name="matrices">How products of many rows go.</param>
    public static string? WhyNot(Plan plan, IWeightSource source, int chunk, DeviceTraits traits, MatrixUse matrices)
    {
        long bytes = BytesOf(plan, source, chunk, matrices), usable = traits.MemoryBytes - traits.MemoryBytes / ReservedShare;
        return bytes <= usable ? null
            : $"The model needs {(bytes + (1 << 20) - 1) >> 20:n0} MiB on the device and {traits.Name} has {usable >> 20:n0} MiB for it; take a smaller storage type, or {SplitBackend.WayOut(plan, piece => BytesOf(piece, source, chunk, matrices) <= usable)}choose --backend cpu.";
    }

    private static long BytesOf(Plan plan, IWeightSource source, int chunk, MatrixUse matrices) =>
        WeightsOf(plan, source) + ScratchOf(plan, chunk, matrices) + 2 * plan.States.Bytes(0);   // a session's state, and the slot that belongs to none

    private static long WeightsOf(Plan plan, IWeightSource source)
    {
        long bytes = 0;
        foreach (WeightSpec spec in plan.Weights)
            if (spec.TryFind(source, out TensorView view)) bytes += DeviceWeights.BytesOf(WeightForm.For(spec, view), view);
        return bytes;
    }

    private static long ScratchOf(Plan plan, int chunk, MatrixUse matrices) =>
        ArenaMemory.BytesOf(plan, chunk) + (matrices == MatrixUse.None ? 0 : HalfScratch.BytesOf(plan, chunk));

    /// <summary>What so many sessions take, with prompts by chunks and batches of any number of them, up to a chunk's rows.</summary>
    public static MemoryUse Use(Plan plan, IWeightSource source, int chunk, MatrixUse matrices, int sessions)
    {
        const long Tables = 64 << 10;   // of an executable, beside its values
        long one = ScratchOf(plan, chunk, matrices) + Tables, scratch = one;
        for (int rows = 2; rows / 2 < Math.Min(sessions, chunk); rows *= 2) scratch += one + (long)plan.VocabularySize * rows * sizeof(float);   // each has its own
        long states = checked(DeviceSlots.MostSlots(sessions + 1L) * plan.States.Bytes(0));   // one slot belongs to none
        return new MemoryUse(DevicePool.MostBytes(WeightsOf(plan, source), 2 * plan.Weights.Length), states, scratch, OnDevice: true);
    }
}
