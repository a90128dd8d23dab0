using MambaRT.Formats;

namespace MambaRT.Backends.Cuda;

/// <summary>Which kernel modules a plan needs, and what it may ask of them.</summary>
internal static class PlanKernels
{
    /// <summary>States a channel that the scans hold in registers at most.</summary>
    public const int MostScanStates = 256, MostSsdStates = 256;

    /// <summary>What no kernel can run, by op; null for nothing.</summary>
    public static string? WhyNot(Plan plan)
    {
        foreach (Op op in plan.Ops)
        {
            (int states, int most) = op switch
            {
                SelectiveScanOp scan => (scan.DState, MostScanStates),
                SsdScanOp ssd => (ssd.DState, MostSsdStates),
                _ => (0, 0),
            };
            if (states > most) return $"Op '{op.Name}' has {states} states a channel; the cuda backend runs up to {most}. Choose --backend cpu.";
        }
        return null;
    }

    /// <summary>The modules, by the names of the files in Shaders/cuda.</summary>
    public static IEnumerable<string> Modules(Plan plan, IWeightSource source, bool tensorCores, bool exact, KernelLibrary kernels)
    {
        var modules = new SortedSet<string>(StringComparer.Ordinal) { "pick" };
        foreach (Op op in plan.Ops)
        {
            switch (op)
            {
                case EmbedOp: modules.Add("embed"); break;
                case RmsNormOp or GatedRmsNormOp: modules.Add("norm"); break;
                case CausalConvOp: modules.Add("conv"); break;
                case SelectiveScanOp scan: modules.Add(SelectiveScans.Module(scan)); break;
                case SsdScanOp ssd:
                    modules.Add("ssd");
                    if (tensorCores && SsdChunks.CanTake(ssd, kernels)) modules.Add(SsdChunks.Module(exact));
                    break;
                case SelectOutputsOp: modules.Add("select"); break;
                case LinearOp linear:
                    if (FormOf(plan, linear.Weight, source) is WeightForm form) modules.UnionWith(LinearModules(form, tensorCores, exact, kernels.HasWgmma));
                    break;
                default: throw new NotSupportedException($"Op '{op.Name}' is of kind {op.Kind}, whose kernels have no module here; name it.");
            }
        }
        return modules;
    }

    /// <summary>The form that a projection's weights will take, or null where they are missing.</summary>
    public static WeightForm? FormOf(Plan plan, WeightRef weight, IWeightSource source)
    {
        string name = plan.Weights[weight.Index].Name;
        return source.TryGet(name, out TensorView view) ? WeightForm.For(view.Type, name) : null;
    }

    private static IEnumerable<string> LinearModules(WeightForm form, bool tensorCores, bool exact, bool wgmma)
    {
        string[] direct = form.IsQuantized ? ["quantize", QuantizedModule(form)] : ["matvec_floats"];
        if (!tensorCores) return form.IsQuantized ? direct : [.. direct, "matmul_floats"];
        if (HalfParts.For(form, exact).AreSeveral) return [.. direct, "halve", $"{(wgmma ? "wgmma" : "tensor")}_{TensorProducts.ExactType(form)}"];
        string type = form.IsHalf ? form.Kernels : "F16";
        if (TensorProducts.IsReadAsBytes(form)) direct = [.. direct, $"narrow_{form.Kernels}"];
        direct = [.. direct, .. BatchStep.Modules(form, wgmma)];
        return [.. direct, "halve", $"narrow_{type}", wgmma ? $"wgmma_{type}" : $"tensor_{type}"];
    }

    /// <summary>The module with the products of a quantized form.</summary>
    public static string QuantizedModule(WeightForm form) => $"linear_{form.Kernels}";
}
