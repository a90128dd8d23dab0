namespace MambaRT.Backends.Vulkan;

/// <summary>What of a device is used: by default all that it offers. Tests leave out one after the other.</summary>
internal sealed record VulkanSettings
{
    /// <summary>Nothing that not every device has.</summary>
    public static VulkanSettings Plain { get; } = new() { Subgroups = false, Texels = false, Matrices = false, IntegerDot = false, Relay = false, MappedMemory = false, PipelineCache = false };

    /// <summary>Whether subgroups add up by themselves.</summary>
    public bool Subgroups { get; init; } = true;

    /// <summary>Whether weights are read as texels where that is quicker.</summary>
    public bool Texels { get; init; } = true;

    /// <summary>Whether subgroups multiply matrices, where the device has that.</summary>
    public bool Matrices { get; init; } = true;

    /// <summary>Whether activations keep the precision of float32 beside these, also where weights have 16 bits, and in products of few rows.</summary>
    public bool Exact { get; init; }

    /// <summary>Whether shaders do what these would, value by value: for tests.</summary>
    public bool EmulatedMatrices { get; init; }

    /// <summary>Whether products of few rows round activations to bytes beside quantized weights, where the device multiplies bytes faster than floats.</summary>
    public bool IntegerDot { get; init; } = true;

    /// <summary>Whether they do so also where the device is no faster by it: for tests.</summary>
    public bool SlowIntegerDot { get; init; }

    /// <summary>Whether a subgroup may have whole rows of a product also where it is narrow, as it has on cards: for tests.</summary>
    public bool NarrowRows { get; init; }

    /// <summary>Whether shaders are unrolled as far as cards like, also where the device is software, which takes many seconds to make each: for tests.</summary>
    public bool LongShaders { get; init; }

    /// <summary>Multiprocessors that products are shared out for: those of a large card, as Vulkan does not say. Fewer for tests.</summary>
    public int Multiprocessors { get; init; } = 132;

    /// <summary>Whether a step is one dispatch, where the device has what that takes and its workgroups are seen to wait for each other.</summary>
    public bool Relay { get; init; } = true;

    /// <summary>Workgroups of such a step, also on a device that is software: for tests. 0: as many as are likely to be under way together, and none on software.</summary>
    public int RelayGroups { get; init; }

    /// <summary>Whether it has the shader for models whose subgroups have few rows, also where some product has many: for tests.</summary>
    public bool RelayFew { get; init; }

    /// <summary>Whether the host writes into the device's memory where it sees all of that; else everything goes through memory that both see.</summary>
    public bool MappedMemory { get; init; } = true;

    /// <summary>Whether what the driver made of shaders is kept in a folder.</summary>
    public bool PipelineCache { get; init; } = true;

    /// <summary>Bytes of a weight that a shader is given at most, where that is less than the device binds.</summary>
    public long MostWeightBytes { get; init; } = long.MaxValue;

    /// <summary>Work that is submitted at a time, see <see cref="Workload"/>.</summary>
    public long MostWork { get; init; } = Workload.MostOfASubmission;
}
