using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MambaRT.CApi;

/// <summary>Many answers at once. What each function does stands in mambart.h.</summary>
internal static unsafe class HostExports
{
    [UnmanagedCallersOnly(EntryPoint = "mrt_host_options_init", CallConvs = [typeof(CallConvCdecl)])]
    private static Status OptionsInit(HostOptionsLayout* options, nuint size)
    {
        try
        {
            Arguments.Init(options, size, HostOptionsLayout.Defaults, "mrt_host_options");
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_host_create", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Create(ulong model, HostOptionsLayout* options, ulong* host)
    {
        try
        {
            Arguments.Require(host, "host");
            HostOptionsLayout taken = Arguments.Take(options, HostOptionsLayout.Defaults, "mrt_host_options_init");
            OpenModel open = Handles.Get<OpenModel>(model);
            using OpenModel.Use use = open.Enter();
            *host = Handles.Add(new OpenHost(open, new ModelHostOptions
            {
                Manual = taken.Manual != 0, MaxSequences = taken.MaxSequences, MaxQueue = taken.MaxQueue, Deterministic = taken.Deterministic != 0,
            }));
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_host_submit", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Submit(ulong host, int* tokens, nuint count, ulong sampler, TextOptionsLayout* options, delegate* unmanaged[Cdecl]<void*, byte*, nuint, int> text, void* user, ulong* request)
    {
        try
        {
            Arguments.Require(request, "request");
            SamplerChain chain = Handles.Get<SamplerChain>(sampler).Clone();
            *request = Handles.Add(Handles.Get<OpenHost>(host).Submit(Arguments.Values(tokens, count, "tokens").ToArray(), chain, TextSettings.Of(options), text, user));
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_host_step", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Step(ulong host, long budgetMicroseconds, ProgressLayout* progress)
    {
        try
        {
            OpenHost open = Handles.Get<OpenHost>(host);
            Arguments.Check(progress);
            Arguments.Fill(progress, open.Step(Arguments.Budget(budgetMicroseconds)));
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_host_stats", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Stats(ulong host, HostLoadLayout* load)
    {
        try
        {
            ModelHost open = Handles.Get<OpenHost>(host).Host;
            Arguments.Fill(load, new HostLoadLayout { Active = open.Active, Waiting = open.Waiting }, "sizeof(mrt_host_load)");
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_host_close", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Close(ulong host)
    {
        try
        {
            LentCalls.RefuseWithin();
            Handles.Remove<OpenHost>(host).Close();
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_request_read", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Read(ulong request, byte* text, nuint capacity, nuint* length, int* ended)
    {
        try
        {
            Arguments.Require(ended, "ended");
            *ended = Handles.Get<OpenRequest>(request).Read(text, capacity, length) ? 1 : 0;
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_request_cancel", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Cancel(ulong request)
    {
        try
        {
            Handles.Get<OpenRequest>(request).End();
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_request_stats", CallConvs = [typeof(CallConvCdecl)])]
    private static Status RequestStats(ulong request, TextStatsLayout* stats)
    {
        try
        {
            TextSettings.Fill(stats, Handles.Get<OpenRequest>(request).Stats);
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_request_close", CallConvs = [typeof(CallConvCdecl)])]
    private static Status CloseRequest(ulong request)
    {
        try
        {
            Handles.Remove<OpenRequest>(request).Close();
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }
}
