using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MambaRT.CApi;

/// <summary>Samplers. What each function does stands in mambart.h.</summary>
internal static unsafe class SamplerExports
{
    [UnmanagedCallersOnly(EntryPoint = "mrt_sampler_options_init", CallConvs = [typeof(CallConvCdecl)])]
    private static Status OptionsInit(SamplerOptionsLayout* options, nuint size, ulong model)
    {
        try
        {
            SamplingOptions recommended = model == 0 ? new SamplingOptions() : SamplingOptions.FromMetadata(Handles.Get<OpenModel>(model).Model.Metadata);
            Arguments.Init(options, size, SamplerSettings.Layout(recommended), "mrt_sampler_options");
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_sampler_create", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Create(SamplerOptionsLayout* options, ulong* sampler)
    {
        try
        {
            Arguments.Require(sampler, "sampler");
            SamplerOptionsLayout taken = Arguments.Take(options, SamplerSettings.Layout(new SamplingOptions()), "mrt_sampler_options_init");
            *sampler = Handles.Add(SamplerSettings.Of(taken).Build());
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_sampler_clone", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Clone(ulong sampler, ulong* clone)
    {
        try
        {
            Arguments.Require(clone, "clone");
            *clone = Handles.Add(Handles.Get<SamplerChain>(sampler).Clone());
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_sampler_reset", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Reset(ulong sampler)
    {
        try
        {
            Handles.Get<SamplerChain>(sampler).Reset();
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_sampler_seed", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Seed(ulong sampler, uint* seed)
    {
        try
        {
            Arguments.Require(seed, "seed");
            *seed = Handles.Get<SamplerChain>(sampler).Seed;
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_sampler_close", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Close(ulong sampler)
    {
        try
        {
            Handles.Remove<SamplerChain>(sampler);
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }
}
