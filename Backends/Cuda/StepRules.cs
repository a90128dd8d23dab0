namespace MambaRT.Backends.Cuda;

/// <summary>What the kernels of a step (Shaders/cuda/step*) do together.</summary>
internal static class StepRules
{
    private const int MostTaps = 4, MostRank = 256, MostStates = 16, SsdBlock = 32;

    /// <summary>Looks a plan through.</summary>
    /// <param name="plan">What is run.</param>
    /// <param name="formOf">The form of a projection's weights.</param>
    public static StepGroups Groups(Plan plan, Func<WeightRef, WeightForm> formOf) => new(plan, ArenaMemory.LayoutOf(plan), new StepLimits
    {
        CanMultiply = linear => CanMultiply(linear, formOf(linear.Weight)),
        CanScan = ssd => CanScan(ssd, plan),
        MostTaps = MostTaps,
        MostRank = MostRank,
        MostStates = MostStates,
        NormsScans = true,
    });

    /// <summary>Kernels of a step read the forms of the types that models are mostly stored in.</summary>
    private static bool CanMultiply(LinearOp linear, WeightForm form) =>
        form.Kernels is "F16" or "BF16" or "Q8_0" or "Q4_K" or "Q5_K" or "Q6_K" && (form.IsQuantized || linear.X.Width % 8 == 0);

    private static bool CanScan(SsdScanOp ssd, Plan plan)
    {
        if (ssd.DState % 4 != 0 || ssd.HeadDim % 4 != 0) return false;
        if (ssd.NGroups > 1 && ssd.NHeads / ssd.NGroups * ssd.HeadDim % SsdBlock != 0) return false;   // a block has channels of one group
        return IsAligned(ssd.X) && IsAligned(ssd.B) && IsAligned(ssd.C) && IsAligned(ssd.Output) && plan.States.Entries[ssd.State.Index].CanonicalOffset % 4 == 0;
    }

    private static bool IsAligned(Activation a) => a.Offset % 4 == 0;
}
