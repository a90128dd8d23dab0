namespace MambaRT.Backends.Vulkan;

/// <summary>
/// What relay.comp goes through in a step of one sequence: a phase for the embedding, each product with its neighbours, and each scan. Every value that a phase yields has a place of its own,
/// so that nobody waits for another to have read one.
/// </summary>
internal sealed class RelayProgram
{
    /// <summary>Words of a phase.</summary>
    public const int PhaseWords = 32;

    private const int MostTogether = 4;

    private const double CostOfGroup = 0.5;   // beside reading sixteen bytes: the end of a loop

    private const uint Embeds = 0, Multiplies = 1, Scans = 2;

    private const uint NoForm = 4, MixedForms = 5;

    private readonly List<uint> _words = [];
    private readonly Dictionary<int, uint> _places = [];   // of registers, as last written
    private readonly Plan _plan;
    private readonly DeviceWeights _weights;
    private readonly DeviceSlots _slots;
    private readonly VulkanDevice _device;
    private readonly int _lanes;
    private readonly List<(int Rows, int Units, int Unit, bool IsLast)> _products = [];
    private uint[] _phase = [];
    private int? _taps;
    private uint? _formOfDt;
    private int _scanned = 4;   // values that a scan has in shared memory at most

    private RelayProgram(Plan plan, DeviceWeights weights, DeviceSlots slots, VulkanDevice device) =>
        (_plan, _weights, _slots, _device, _lanes) = (plan, weights, slots, device, device.Traits.SubgroupSize);

    /// <summary>All phases, one behind the other.</summary>
    public ReadOnlySpan<uint> Words => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_words);

    /// <summary>How many.</summary>
    public int Phases => _words.Count / PhaseWords;

    /// <summary>Values that are handed on.</summary>
    public int Values { get; private set; }

    /// <summary>Values that a phase has in shared memory at most, with padding.</summary>
    public int Room => Math.Max(_scanned, _products.Count == 0 ? 0 : _products.Max(p => GroupsOf(p.Units, Together) * Together * _lanes * p.Unit));

    /// <summary>Of the sixteen bytes of weights that a thread reads of a row, how many at once: as many as leave the least to be read beyond rows' ends.</summary>
    public int Together { get; private set; } = 1;

    /// <summary>Whether nothing is read beyond rows' ends.</summary>
    public bool IsEven => _products.TrueForAll(p => GroupsOf(p.Units, Together) * Together * _lanes == p.Units);

    /// <summary>Taps of convolutions, where all have as many; else 0.</summary>
    public int Taps => _taps ?? 0;

    /// <summary>What rows of dt's projection are stored as, by the number of the form, where all scans have such and in one form; else that there are none, or more than one.</summary>
    public uint FormOfDt => _formOfDt ?? NoForm;

    /// <summary>What 16-bit weights are, by the number of the form.</summary>
    public uint Halves { get; private set; }

    /// <summary>Whether there are weights of Q8_0.</summary>
    public bool HasBytes { get; private set; }

    /// <summary>Of a channel.</summary>
    public int States { get; private set; }

    /// <summary>Whether scans are Mamba-2's.</summary>
    public bool IsSsd { get; private set; }

    /// <summary>What phases and the values that they hand on take of the device's memory at most.</summary>
    public static long MostBytes(Plan plan)
    {
        if (!CanGo(plan)) return 0;
        long bytes = 0;
        foreach (Op op in plan.Ops) bytes += PhaseWords * sizeof(uint) + 2L * ValuesOf(plan, op.Output) * sizeof(float);
        return bytes;
    }

    /// <summary>Writes the program down; null where a plan has an op, a shape or a storage type that the shader has no phase for.</summary>
    public static RelayProgram? For(Plan plan, StepGroups groups, DeviceWeights weights, DeviceSlots slots, VulkanDevice device)
    {
        var program = new RelayProgram(plan, weights, slots, device);
        if (!CanGo(plan)) return null;
        for (int i = 0; i < plan.Ops.Length;)
        {
            StepGroup? group = groups[i];
            bool added = group is null ? program.Add(plan.Ops[i]) : group.Linear is null ? group.Ssd is { } ssd && program.Scan(ssd) : group.Scan is { } scan ? group.ScanNorms is null && program.Scan(scan, group.Linear) : program.Multiply(group, group.Linear);
            if (!added) return null;
            i += group?.Count ?? 1;
        }
        program.Together = Enumerable.Range(1, MostTogether).Reverse().MinBy(program.Reads);
        return program;
    }

    /// <summary>Whether what a subgroup multiplies is on its way at once, in all products but that of logits: a row of two groups, or two of one.</summary>
    public bool HasFew(int subgroups) =>
        _device.HasRelayOfFew || _products.TrueForAll(p => p.IsLast || GroupsOf(p.Units, Together) is int groups && (groups == 1 ? p.Rows <= 2 * subgroups : groups == 2 && p.Rows <= subgroups));

    private int GroupsOf(int units, int together) => (units + together * _lanes - 1) / (together * _lanes);

    /// <summary>What a token reads, a group costing a little more than what it reads.</summary>
    private double Reads(int together) => _products.Sum(p => (double)p.Rows * GroupsOf(p.Units, together) * (together + CostOfGroup));

    private static bool CanGo(Plan plan) => plan.Logits is not null && plan.CarriedIn.IsEmpty && plan.CarriedOut.IsEmpty;

    /// <summary>Places of a register's values.</summary>
    private static int ValuesOf(Plan plan, Activation value) => (plan.Registers[value.Register].Width + 15) / 16 * 16;

    private bool Add(Op op) => op switch
    {
        EmbedOp embed => Embed(embed),
        SsdScanOp ssd => Scan(ssd),
        SelectiveScanOp scan => Scan(scan, null),
        _ => false,
    };

    private bool Embed(EmbedOp op)
    {
        Begin(Embeds);
        if (!SetWeight(op.Table, 1)) return false;
        Set(2, (uint)op.Output.Width);
        Set(11, op.Scale);
        return End(op.Output);
    }

    private bool Multiply(StepGroup group, LinearOp op)
    {
        const uint Adds = 1, HasBias = 2, Convolves = 4, HasConvBias = 8, IsLast = 16;
        const int MostTaps = 4;
        WeightPlace place = _weights[op.Weight];
        bool bytes = place.Form.Kernels == "Q8_0";
        int unit = bytes ? 16 : 8, units = place.Columns / unit;
        if (!bytes && (!place.Form.IsHalf || place.IsWide == 0) || place.Columns % 16 != 0 || group.Conv?.DConv > MostTaps) return false;
        Begin(Multiplies);
        if (!SetWeight(op.Weight, 16)) return false;
        _products.Add((place.Rows, units, unit, op.Output.Register == _plan.Logits?.Register));
        Set(1, (uint)place.Rows);
        Set(2, (uint)place.Columns);
        Set(11, op.Scale);
        Set(12, group.Gate is not null ? 2u : group.Norm is not null ? 1u : 0);
        if (group.Source.Offset % 4 != 0 || group.Gate?.Z.Offset % 4 is not (null or 0)) return false;
        if (!SetPlace(13, group.Source) || (group.Gate is { } gate && !SetPlace(14, gate.Z)) || (op.AddTo is Activation residual && !SetPlace(19, residual))) return false;
        if ((group.Norm?.Weight ?? group.Gate?.Weight) is WeightRef norm) Set(16, _weights.Vector(norm));
        Set(18, group.Norm?.Epsilon ?? group.Gate?.Epsilon ?? 0);
        uint flags = (op.AddTo is null ? 0 : Adds) | (op.Bias is null ? 0 : HasBias);
        if (op.Bias is WeightRef bias) Set(20, _weights.Vector(bias));
        if (group.Conv is { } conv)
        {
            flags |= Convolves | (conv.Bias is null ? 0 : HasConvBias);
            Set(24, (uint)(conv.X.Offset - op.Output.Offset));
            Set(10, (uint)conv.X.Width);
            Set(25, (uint)conv.DConv);
            _taps = _taps is null || _taps == conv.DConv ? conv.DConv : 0;
            Set(26, _weights.Vector(conv.Weight));
            if (conv.Bias is WeightRef biased) Set(28, _weights.Vector(biased));
            if (_slots[conv.Window] is { Bytes: > 0 } window) Set(30, window);
            Set(9, Yield(conv.Output));
        }
        Set(15, flags | (op.Output.Register == _plan.Logits?.Register ? IsLast : 0));
        return End(op.Output);
    }

    private bool Scan(SelectiveScanOp op, LinearOp? projection)
    {
        Begin(Scans);
        if (projection is not null && (projection.X.Width % 8 != 0 || !SetWeight(projection.Weight, 8))) return false;
        Set(2, (uint)(projection?.X.Width ?? 0));
        Set(24, 1u);
        Set(25, 1u);
        return Scan(op.State, op.DState, op.U, projection?.X ?? op.Dt, op.B, op.C, op.A, op.D, op.DtBias, ssd: false, projection?.X.Width ?? 0) && SetPlace(15, op.Z) && End(op.Output);
    }

    private bool Scan(SsdScanOp op)
    {
        Begin(Scans);
        Set(24, (uint)op.HeadDim);
        Set(25, (uint)(op.NHeads / op.NGroups));
        return Scan(op.State, op.DState, op.X, op.Dt, op.B, op.C, op.A, op.D, op.DtBias, ssd: true, 0) && End(op.Output);
    }

    private bool Scan(StateRef state, int states, Activation u, Activation dt, Activation b, Activation c, WeightRef a, WeightRef d, WeightRef dtBias, bool ssd, int rank)
    {
        if (States != 0 && (States != states || IsSsd != ssd)) return false;
        (States, IsSsd) = (states, ssd);
        uint form = rank == 0 ? NoForm : _phase[3];
        _formOfDt = _formOfDt is null || _formOfDt == form ? form : MixedForms;
        _scanned = Math.Max(_scanned, (rank + 2 * b.Width + 3) / 4 * 4);
        Set(10, (uint)u.Width);
        Set(16, _weights.Vector(a));
        Set(18, _weights.Vector(d));
        Set(20, _weights.Vector(dtBias));
        Set(22, _slots[state]);
        Set(26, (uint)b.Width);
        return SetPlace(9, u) && SetPlace(12, dt) && SetPlace(13, b) && SetPlace(14, c);
    }

    private void Begin(uint kind)
    {
        _phase = new uint[PhaseWords];
        _phase[0] = kind;
    }

    private bool End(Activation output)
    {
        Set(8, Yield(output));
        _words.AddRange(_phase);
        return output.Width == _plan.Registers[output.Register].Width;
    }

    private void Set(int word, uint value) => _phase[word] = value;

    private void Set(int word, float value) => _phase[word] = BitConverter.SingleToUInt32Bits(value);

    private void Set(int word, BufferSlice memory)
    {
        ulong address = _device.AddressOf(memory);
        (_phase[word], _phase[word + 1]) = ((uint)address, (uint)(address >> 32));
    }

    private bool SetPlace(int word, Activation value)
    {
        if (!_places.TryGetValue(value.Register, out uint place)) return false;
        Set(word, place + (uint)value.Offset);
        return true;
    }

    /// <summary>A weight, of which values are read so many at a time.</summary>
    private bool SetWeight(WeightRef weight, int unit)
    {
        WeightPlace place = _weights[weight];
        uint form = FormNumber.Of(place.Form);
        bool bytes = place.Form.Kernels == "Q8_0";
        if (place.Form.IsHalf && Halves != 0 && Halves != form || !bytes && !place.Form.IsHalf && place.Form.Kernels != "F32" || place.Columns % unit != 0) return false;
        if (place.Form.IsHalf) Halves = form;
        HasBytes |= bytes;
        Set(3, form);
        Set(4, place.Data);
        if (bytes) Set(6, place.Scales);
        return true;
    }

    private uint Yield(Activation output)
    {
        uint place = (uint)Values;
        _places[output.Register] = place;
        if (output.Register == _plan.Logits?.Register) return place;   // which go elsewhere
        Values = checked(Values + ValuesOf(_plan, output));
        return place;
    }
}
