using System.IO.Hashing;
using System.Reflection;
using Silk.NET.Vulkan;

namespace MambaRT.Backends.Vulkan;

/// <summary>The shaders in this assembly, made into pipelines when they are first asked for. Every shader has the same layout: storage buffers by number, texels behind them where the device is given such, and push constants.</summary>
/// <remarks>Several models share it; making a pipeline is locked.</remarks>
internal sealed unsafe class PipelineLibrary : IDisposable
{
    private readonly VulkanDevice _device;
    private readonly Dictionary<string, ShaderModule> _modules = [];
    private readonly Dictionary<ShaderKey, Pipeline> _pipelines = [];
    private readonly Lock _making = new();
    private readonly PipelineCacheFile? _file;
    private PipelineCache _cache;
    private byte[] _kept = [];
    private bool _hasNew;

    /// <param name="device">Whose pipelines.</param>
    /// <param name="cacheFolder">Where they are kept for the next time; null for nowhere.</param>
    public PipelineLibrary(VulkanDevice device, string? cacheFolder)
    {
        _device = device;
        if (cacheFolder is not null) _file = new PipelineCacheFile(cacheFolder, KeyOf(device.Traits));
        uint count = DeviceTraits.MostBindings + (device.UsesTexels ? DeviceTraits.MostTexels : 0u);
        var bindings = stackalloc DescriptorSetLayoutBinding[DeviceTraits.MostBindings + DeviceTraits.MostTexels];
        for (uint i = 0; i < count; i++)
            bindings[i] = new DescriptorSetLayoutBinding { Binding = i, DescriptorType = DeviceTraits.TypeOf(i), DescriptorCount = 1, StageFlags = ShaderStageFlags.ComputeBit };
        var create = new DescriptorSetLayoutCreateInfo { SType = StructureType.DescriptorSetLayoutCreateInfo, BindingCount = count, PBindings = bindings };
        DescriptorSetLayout set;
        VulkanException.Check(device.Api.CreateDescriptorSetLayout(device.Handle, &create, null, &set), "vkCreateDescriptorSetLayout");
        SetLayout = set;
        var push = new PushConstantRange { StageFlags = ShaderStageFlags.ComputeBit, Size = DeviceTraits.MostPushBytes };
        var layout = new PipelineLayoutCreateInfo { SType = StructureType.PipelineLayoutCreateInfo, SetLayoutCount = 1, PSetLayouts = &set, PushConstantRangeCount = 1, PPushConstantRanges = &push };
        PipelineLayout made;
        Result result = device.Api.CreatePipelineLayout(device.Handle, &layout, null, &made);
        Layout = made;
        if (result != Result.Success) Dispose();
        VulkanException.Check(result, "vkCreatePipelineLayout");
        if (_file is not null) _cache = NewCache(_kept = _file.Read());
    }

    public DescriptorSetLayout SetLayout { get; }

    public PipelineLayout Layout { get; }

    /// <summary>The pipeline of a shader.</summary>
    public Pipeline this[ShaderKey shader]
    {
        get
        {
            lock (_making)
            {
                if (!_pipelines.TryGetValue(shader, out Pipeline pipeline)) _pipelines[shader] = pipeline = Make(shader);
                return pipeline;
            }
        }
    }

    /// <summary>Keeps what the driver has made since it was kept last.</summary>
    public void Keep()
    {
        lock (_making)
        {
            if (_file is null || _cache.Handle == 0 || !_hasNew) return;
            _hasNew = false;
            nuint bytes = 0;
            if (_device.Api.GetPipelineCacheData(_device.Handle, _cache, &bytes, null) != Result.Success || bytes == 0) return;
            byte[] data = new byte[bytes];
            fixed (byte* to = data)
                if (_device.Api.GetPipelineCacheData(_device.Handle, _cache, &bytes, to) != Result.Success) return;
            if (data.AsSpan(0, (int)bytes).SequenceEqual(_kept)) return;
            _kept = data[..(int)bytes];
            _file.Write(_kept);
        }
    }

    public void Dispose()
    {
        Keep();
        if (_cache.Handle != 0) _device.Api.DestroyPipelineCache(_device.Handle, _cache, null);
        _cache = default;
        foreach (Pipeline pipeline in _pipelines.Values) _device.Api.DestroyPipeline(_device.Handle, pipeline, null);
        foreach (ShaderModule module in _modules.Values) _device.Api.DestroyShaderModule(_device.Handle, module, null);
        _pipelines.Clear();
        _modules.Clear();
        if (Layout.Handle != 0) _device.Api.DestroyPipelineLayout(_device.Handle, Layout, null);
        _device.Api.DestroyDescriptorSetLayout(_device.Handle, SetLayout, null);
    }

    private Pipeline Make(ShaderKey shader)
    {
        if (!_modules.TryGetValue(shader.Name, out ShaderModule module)) _modules[shader.Name] = module = Load(shader.Name);
        var entries = stackalloc SpecializationMapEntry[shader.Constants.Length];
        for (uint i = 0; i < shader.Constants.Length; i++) entries[i] = new SpecializationMapEntry(i + 1, i * sizeof(uint), sizeof(uint));
        fixed (uint* values = shader.Constants)
        fixed (byte* main = "main\0"u8)
        {
            var constants = new SpecializationInfo((uint)shader.Constants.Length, entries, (nuint)shader.Constants.Length * sizeof(uint), values);
            var stage = new PipelineShaderStageCreateInfo
            {
                SType = StructureType.PipelineShaderStageCreateInfo,
                Stage = ShaderStageFlags.ComputeBit,
                Module = module,
                PName = main,
                PSpecializationInfo = &constants,
            };
            var create = new ComputePipelineCreateInfo { SType = StructureType.ComputePipelineCreateInfo, Stage = stage, Layout = Layout };
            Pipeline pipeline;
            VulkanException.Check(_device.Api.CreateComputePipelines(_device.Handle, _cache, 1, &create, null, &pipeline), "vkCreateComputePipelines", $"shader '{shader.Name}'");
            _hasNew = true;
            return pipeline;
        }
    }

    /// <summary>A cache that begins with what was kept, or with nothing where the driver does not take that; none where it makes none.</summary>
    private PipelineCache NewCache(byte[] kept)
    {
        PipelineCache cache;
        fixed (byte* data = kept)
        {
            var create = new PipelineCacheCreateInfo { SType = StructureType.PipelineCacheCreateInfo, InitialDataSize = (nuint)kept.Length, PInitialData = data };
            if (_device.Api.CreatePipelineCache(_device.Handle, &create, null, &cache) == Result.Success) return cache;
        }
        var empty = new PipelineCacheCreateInfo { SType = StructureType.PipelineCacheCreateInfo };
        return kept.Length > 0 && _device.Api.CreatePipelineCache(_device.Handle, &empty, null, &cache) == Result.Success ? cache : default;
    }

    /// <summary>Names the device, its driver and all shaders.</summary>
    private static UInt128 KeyOf(DeviceTraits traits)
    {
        var hash = new XxHash128();
        hash.Append(traits.Identity);
        foreach (string name in Code.GetManifestResourceNames().Order(StringComparer.Ordinal))
        {
            using Stream packed = Code.GetManifestResourceStream(name)!;   // it was just named
            hash.Append(packed);
        }
        return hash.GetCurrentHashAsUInt128();
    }

    private static Assembly Code => typeof(PipelineLibrary).Assembly;

    private ShaderModule Load(string name)
    {
        byte[] code = PackedResource.Read(Code, $"spv/{name}.spv") ?? throw new NotSupportedException($"There is no shader '{name}'.");
        fixed (byte* words = code)
        {
            var create = new ShaderModuleCreateInfo { SType = StructureType.ShaderModuleCreateInfo, CodeSize = (nuint)code.Length, PCode = (uint*)words };
            ShaderModule module;
            VulkanException.Check(_device.Api.CreateShaderModule(_device.Handle, &create, null, &module), "vkCreateShaderModule", $"shader '{name}'");
            return module;
        }
    }
}
