namespace MambaRT.Devices;

/// <summary>Finds the ops of a plan that a kernel of a step of decode does together. An op that none has keeps its own. Immutable.</summary>
public sealed class StepGroups
{
    private readonly Plan _plan;
    private readonly StepLimits _limits;
    private readonly ArenaLayout _layout;
    private readonly StepGroup?[] _groups;

    /// <summary>Looks a plan through.</summary>
    /// <param name="plan">What is run.</param>
    /// <param name="layout">Where its values lie.</param>
    /// <param name="limits">What the kernels can do.</param>
    public StepGroups(Plan plan, ArenaLayout layout, StepLimits limits)
    {
        ArgumentNullException.ThrowIfNull(plan);
        (_plan, _layout, _limits) = (plan, layout, limits);
        _groups = new StepGroup?[plan.Ops.Length];
        for (int i = 0; i < _groups.Length; i += _groups[i]?.Count ?? 1) _groups[i] = ScanAt(i) ?? SsdAt(i) ?? LinearAt(i);
    }

    /// <summary>The group that begins with an op, or null.</summary>
    public StepGroup? this[int op] => _groups[op];

    private Op? At(int i) => i < _plan.Ops.Length ? _plan.Ops[i] : null;

    private StepGroup? LinearAt(int first)
    {
        int i = first;
        var select = At(i) as SelectOutputsOp;
        if (select is not null) i++;
        var norm = At(i) as RmsNormOp;
        var gate = At(i) as GatedRmsNormOp;
        if (norm is not null || gate is not null) i++;
        if (At(i) is not LinearOp linear || !_limits.CanMultiply(linear)) return null;
        if (norm is not null && (norm.Weight is null || !IsOnlyFor(norm.Output, linear.X, linear))) return null;
        if (gate is not null && (gate.NGroups > 1 || !IsOnlyFor(gate.Output, linear.X, linear))) return null;
        Op chosen = (Op?)norm ?? (Op?)gate ?? linear;
        if (select is not null && (gate is not null || !IsOnlyFor(select.Output, norm?.X ?? linear.X, chosen))) return null;
        var conv = At(i + 1) as CausalConvOp;
        if (conv is not null && !CanConvolve(linear, conv)) conv = null;
        var group = new StepGroup(i + 1 - first + (conv is null ? 0 : 1)) { Select = select, Norm = norm, Gate = gate, Linear = linear, Conv = conv };
        Activation[] reads = gate is null ? [group.Source] : [group.Source, gate.Z];
        return AreApart(linear.Output, reads) && (conv is null || AreApart(conv.Output, reads)) && reads.All(IsAligned) ? group : null;
    }

    private StepGroup? ScanAt(int first)
    {
        int i = first;
        RmsNormOp[]? norms = null;
        if (_limits.NormsScans && At(i) is RmsNormOp dtNorm && At(i + 1) is RmsNormOp bNorm && At(i + 2) is RmsNormOp cNorm) (norms, i) = ([dtNorm, bNorm, cNorm], i + 3);
        if (At(i) is not LinearOp linear || At(i + 1) is not SelectiveScanOp scan || !IsOnlyFor(linear.Output, scan.Dt, scan)) return null;
        if (linear is not { Bias: null, AddTo: null, Scale: 1 } || linear.X.Width % 8 != 0 || linear.X.Width > _limits.MostRank || scan.DState > _limits.MostStates) return null;
        if (norms is not null)
        {
            bool fit = norms.All(n => n.Weight is null && n.Epsilon == norms[0].Epsilon)
                && IsOnlyFor(norms[0].Output, linear.X, linear) && IsOnlyFor(norms[1].Output, scan.B, scan) && IsOnlyFor(norms[2].Output, scan.C, scan);
            if (!fit) return null;
        }
        Activation dt = norms?[0].X ?? linear.X;
        return IsAligned(dt) && AreApart(scan.Output, dt, norms?[1].X ?? scan.B, norms?[2].X ?? scan.C, scan.U, scan.Z)
            ? new StepGroup(i + 2 - first) { Linear = linear, Scan = scan, ScanNorms = norms } : null;
    }

    private StepGroup? SsdAt(int first) => At(first) is SsdScanOp ssd && _limits.CanScan(ssd) ? new StepGroup(1) { Ssd = ssd } : null;

    /// <summary>Whether a convolution reads a product's outputs that nothing else reads.</summary>
    private bool CanConvolve(LinearOp linear, CausalConvOp conv)
    {
        if (conv.X.Register != linear.Output.Register || linear.AddTo is not null || linear.X.Rows != RowDomain.Tokens || conv.DConv > _limits.MostTaps || Outlives(conv.X)) return false;
        foreach (Op op in _plan.Ops)
            foreach (Activation input in op.Inputs)
                if (op != conv && input.Register == conv.X.Register && input.Offset < conv.X.Offset + conv.X.Width && conv.X.Offset < input.Offset + input.Width) return false;
        return true;
    }

    /// <summary>Whether the next piece of the plan needs a value.</summary>
    private bool Outlives(Activation value) => _plan.Registers[value.Register].Last >= _plan.Ops.Length;

    /// <summary>Whether a value is read whole, and by one op alone.</summary>
    private bool IsOnlyFor(Activation value, Activation read, Op reader)
    {
        if (value != read || Outlives(value)) return false;
        foreach (Op op in _plan.Ops)
            if (op != reader)
                foreach (Activation input in op.Inputs)
                    if (input.Register == value.Register) return false;
        return true;
    }

    /// <summary>Whether an output's memory is none of those that other blocks may still read.</summary>
    private bool AreApart(Activation output, params ReadOnlySpan<Activation> reads)
    {
        int to = _layout.Offset(output.Register);
        foreach (Activation read in reads)
        {
            int from = _layout.Offset(read.Register);
            if (to < 0 ? from < 0 : from >= 0 && to < from + _layout.Stride(read.Register) && from < to + _layout.Stride(output.Register)) return false;
        }
        return true;
    }

    /// <summary>Whether rows of a value begin at sixteen bytes, as those of its register do.</summary>
    private static bool IsAligned(Activation a) => a.Offset % 4 == 0;
}
