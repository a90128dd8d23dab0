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
    /// <param name="free">Bytes that the device has free.</param>
    /// <param name="matrices">How products of many rows go.</param>
    /// <param name="relays">Whether steps may go in one dispatch.</param>
    public static string? WhyNot(Plan plan, IWeightSource source, int chunk, long free, MatrixUse matrices, bool relays)
    {
        long bytes = BytesOf(plan, source, chunk, matrices, relays), usable = free - free / ReservedShare;
        return bytes <= usable ? null
            : $"The model needs {Mebibytes(bytes)} MiB on the device and {usable >> 20:n0} MiB are free: {Mebibytes(bytes - usable)} MiB are missing; take a smaller storage type, or {SplitBackend.WayOut(plan, piece => BytesOf(piece, source, chunk, matrices, relays) <= usable)}choose --backend cpu.";
    }

    private static string Mebibytes(long bytes) => $"{(bytes + (1 << 20) - 1) >> 20:n0}";

    private static long BytesOf(Plan plan, IWeightSource source, int chunk, MatrixUse matrices, bool relays) =>
        WeightsOf(plan, source) + ScratchOf(plan, chunk, matrices, relays) + 2 * plan.States.Bytes(0);   // a session's state, and the slot that belongs to none

    private static long WeightsOf(Plan plan, IWeightSource source)
    {
        long bytes = 0;
        foreach (WeightSpec spec in plan.Weights)
            if (spec.TryFind(source, out TensorView view)) bytes += DeviceWeights.BytesOf(WeightForm.For(spec, view), view);
        return bytes;
    }

    private static long ScratchOf(Plan plan, int chunk, MatrixUse matrices, bool relays) =>
        ArenaMemory.BytesOf(plan, chunk) + (matrices == MatrixUse.None ? 0 : HalfScratch.BytesOf(plan, chunk)) + (relays ? RelayProgram.MostBytes(plan) : 0);

    /// <summary>What so many sessions take, with prompts by chunks and batches of any number of them, up to a chunk's rows.</summary>
    public static MemoryUse Use(Plan plan, IWeightSource source, int chunk, MatrixUse matrices, bool relays, int sessions)
    {
        const long Tables = 256 << 10;   // of an executable, beside its values
        long one = ScratchOf(plan, chunk, matrices, relays) + Tables, scratch = one;
        for (int rows = 2; rows / 2 < Math.Min(sessions, chunk); rows *= 2) scratch += one + (long)plan.VocabularySize * rows * sizeof(float);   // each has its own
        long states = DeviceSlots.MostBytes(plan.States, sessions + 1L);   // one slot belongs to none
        return new MemoryUse(DevicePool.MostBytes(WeightsOf(plan, source), 2 * plan.Weights.Length), states, scratch, OnDevice: true);
    }
}
