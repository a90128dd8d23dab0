using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MambaRT.CApi;

/// <summary>Text that is generated with a session. What each function does stands in mambart.h.</summary>
internal static unsafe class GeneratorExports
{
    [UnmanagedCallersOnly(EntryPoint = "mrt_text_options_init", CallConvs = [typeof(CallConvCdecl)])]
    private static Status OptionsInit(TextOptionsLayout* options, nuint size)
    {
        try
        {
            Arguments.Init(options, size, TextOptionsLayout.Defaults, "mrt_text_options");
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_generator_create", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Create(ulong session, ulong sampler, TextOptionsLayout* options, ulong* generator)
    {
        try
        {
            Arguments.Require(generator, "generator");
            SamplerChain chain = Handles.Get<SamplerChain>(sampler).Clone();
            OpenSession open = Handles.Get<OpenSession>(session);
            using OpenModel.Use use = open.Owner.Enter();
            *generator = Handles.Add(new OpenGenerator(open, chain, TextSettings.Of(options)));
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_generator_run", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Run(ulong generator, int* tokens, nuint count, delegate* unmanaged[Cdecl]<void*, byte*, nuint, int> text, void* user)
    {
        try
        {
            OpenGenerator open = Handles.Get<OpenGenerator>(generator);
            using OpenModel.Use use = open.Owner.Enter();
            open.Begin(Arguments.Values(tokens, count, "tokens").ToArray());
            open.Run(text, user);
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_generator_begin", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Begin(ulong generator, int* tokens, nuint count)
    {
        try
        {
            OpenGenerator open = Handles.Get<OpenGenerator>(generator);
            using OpenModel.Use use = open.Owner.Enter();
            open.Begin(Arguments.Values(tokens, count, "tokens").ToArray());
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_generator_next", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Next(ulong generator, byte* text, nuint capacity, nuint* length)
    {
        try
        {
            OpenGenerator open = Handles.Get<OpenGenerator>(generator);
            using OpenModel.Use use = open.Owner.Enter();
            open.Next(text, capacity, length);
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_generator_settle", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Settle(ulong generator)
    {
        try
        {
            OpenGenerator open = Handles.Get<OpenGenerator>(generator);
            using OpenModel.Use use = open.Owner.Enter();
            open.Settle();
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_generator_stats", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Stats(ulong generator, TextStatsLayout* stats)
    {
        try
        {
            TextSettings.Fill(stats, Handles.Get<OpenGenerator>(generator).Stats);
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_generator_close", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Close(ulong generator)
    {
        try
        {
            OpenGenerator open = Handles.Get<OpenGenerator>(generator);
            using OpenModel.Use use = open.Owner.Enter();
            Handles.Remove<OpenGenerator>(generator).End();
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }
}
