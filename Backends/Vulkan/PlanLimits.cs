using MambaRT.Formats;

namespace MambaRT.Backends.Vulkan;

/// <summary>What shaders may be asked for.</summary>
internal static class PlanLimits
{
    /// <summary>States a channel that threads hold at most.</summary>
    private const int MostStates = 256;

    /// <summary>What no shader can run, by op or tensor; null for nothing.</summary>
    public static string? WhyNot(Plan plan, IWeightSource weights)
    {
        foreach (Op op in plan.Ops)
        {
            int states = op switch { SelectiveScanOp scan => scan.DState, SsdScanOp ssd => ssd.DState, _ => 0 };
            if (states > MostStates) return $"Op '{op.Name}' has {states} states a channel; the vulkan backend runs up to {MostStates}. Choose --backend cpu.";
        }
        foreach (WeightSpec spec in plan.Weights)
        {
            if (!spec.TryFind(weights, out TensorView view)) continue;   // what is missing is said at load
            try
            {
                if (!FormNumber.Has(WeightForm.For(spec, view))) return $"Tensor '{spec.Name}' is stored as {view.Type.Name}, which the vulkan backend has no shader for yet. Choose --backend cpu.";
            }
            catch (NotSupportedException e)
            {
                return e.Message;
            }
        }
        return null;
    }
}
