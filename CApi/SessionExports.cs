using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MambaRT.CApi;

/// <summary>Sessions. What each function does stands in mambart.h.</summary>
internal static unsafe class SessionExports
{
    [UnmanagedCallersOnly(EntryPoint = "mrt_session_start", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Start(ulong model, ulong* session)
    {
        try
        {
            Arguments.Require(session, "session");
            OpenModel open = Handles.Get<OpenModel>(model);
            using OpenModel.Use use = open.Enter();
            *session = Handles.Add(new OpenSession(open, open.Model.StartSession()));
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_session_close", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Close(ulong session)
    {
        try
        {
            Handles.Remove<OpenSession>(session).Close();
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_session_feed", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Feed(ulong session, int* tokens, nuint count, float** logits)
    {
        try
        {
            OpenSession open = Handles.Get<OpenSession>(session);
            using OpenModel.Use use = open.Owner.Enter();
            open.Feed(Arguments.Values(tokens, count, "tokens"));
            if (logits != null) *logits = open.LogitsAddress;
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_session_feed_batch", CallConvs = [typeof(CallConvCdecl)])]
    private static Status FeedBatch(ulong* sessions, int* tokens, nuint count)
    {
        try
        {
            ReadOnlySpan<ulong> handles = Arguments.Values(sessions, count, "sessions");
            OpenSession[] open = new OpenSession[handles.Length];
            for (int i = 0; i < open.Length; i++) open[i] = Handles.Get<OpenSession>(handles[i]);
            if (open.Length == 0) throw new StatusException(Status.Argument, "There is no session to feed; at least one is needed.");
            using OpenModel.Use use = open[0].Owner.Enter();
            OpenSession.FeedBatch(open, Arguments.Values(tokens, count, "tokens"));
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_session_logits", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Logits(ulong session, float** logits)
    {
        try
        {
            Arguments.Require(logits, "logits");
            OpenSession open = Handles.Get<OpenSession>(session);
            using OpenModel.Use use = open.Owner.Enter();
            *logits = open.LogitsAddress;
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_session_cancel", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Cancel(ulong session)
    {
        try
        {
            Handles.Get<OpenSession>(session).Cancellation.Request();
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_session_begin", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Begin(ulong session, int* tokens, nuint count)
    {
        try
        {
            OpenSession open = Handles.Get<OpenSession>(session);
            using OpenModel.Use use = open.Owner.Enter();
            open.Begin(Arguments.Values(tokens, count, "tokens"));
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_session_generate", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Generate(ulong session, int* tokens, nuint count, ulong sampler, int most)
    {
        try
        {
            SamplerChain chain = Handles.Get<SamplerChain>(sampler);
            OpenSession open = Handles.Get<OpenSession>(session);
            using OpenModel.Use use = open.Owner.Enter();
            if (most < 0) throw new StatusException(Status.Argument, $"'max_tokens' is {most}; 0 or more are needed.");
            open.Generate(Arguments.Values(tokens, count, "tokens"), chain, most);
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_session_step", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Step(ulong session, long budgetMicroseconds, ProgressLayout* progress)
    {
        try
        {
            OpenSession open = Handles.Get<OpenSession>(session);
            Arguments.Check(progress);
            using OpenModel.Use use = open.Owner.Enter();
            Arguments.Fill(progress, open.Step(Arguments.Budget(budgetMicroseconds)));
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_session_generated", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Generated(ulong session, int from, int* tokens, nuint capacity, nuint* count)
    {
        try
        {
            OpenSession open = Handles.Get<OpenSession>(session);
            using OpenModel.Use use = open.Owner.Enter();
            IReadOnlyList<int> generated = open.Generated;
            if (from < 0 || from > generated.Count) throw new StatusException(Status.Argument, $"'from' is {from}; {generated.Count} tokens were generated, and 0 to that are taken.");
            int[] rest = new int[generated.Count - from];
            for (int i = 0; i < rest.Length; i++) rest[i] = generated[from + i];
            Arguments.Give<int>(rest, tokens, capacity, count, "count");
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_session_give_up", CallConvs = [typeof(CallConvCdecl)])]
    private static Status GiveUp(ulong session)
    {
        try
        {
            OpenSession open = Handles.Get<OpenSession>(session);
            using OpenModel.Use use = open.Owner.Enter();
            open.GiveUp();
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_session_position", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Position(ulong session, long* position)
    {
        try
        {
            Arguments.Require(position, "position");
            *position = Handles.Get<OpenSession>(session).Session.Position;
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_session_fork", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Fork(ulong session, ulong* fork)
    {
        try
        {
            Arguments.Require(fork, "fork");
            OpenSession open = Handles.Get<OpenSession>(session);
            using OpenModel.Use use = open.Owner.Enter();
            *fork = Handles.Add(open.Fork());
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_session_rewind", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Rewind(ulong session, ulong past)
    {
        try
        {
            OpenSession to = Handles.Get<OpenSession>(past);
            OpenSession open = Handles.Get<OpenSession>(session);
            using OpenModel.Use use = open.Owner.Enter();
            open.Rewind(to);
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_session_reset", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Reset(ulong session)
    {
        try
        {
            OpenSession open = Handles.Get<OpenSession>(session);
            using OpenModel.Use use = open.Owner.Enter();
            open.Session.Reset();
            open.Replaced();
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_session_save_size", CallConvs = [typeof(CallConvCdecl)])]
    private static Status SaveSize(ulong session, nuint* bytes)
    {
        try
        {
            Arguments.Require(bytes, "bytes");
            Session saved = Handles.Get<OpenSession>(session).Session;
            *bytes = (nuint)StateSnapshot.BytesOf(saved.Model.Plan.States.Bytes(saved.Position));
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_session_save", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Save(ulong session, void* data, nuint capacity, nuint* written)
    {
        try
        {
            OpenSession open = Handles.Get<OpenSession>(session);
            using OpenModel.Use use = open.Owner.Enter();
            Arguments.Give<byte>(open.Session.Save().ToBytes(), (byte*)data, capacity, written, "written");
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_session_restore", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Restore(ulong session, void* data, nuint bytes)
    {
        try
        {
            OpenSession open = Handles.Get<OpenSession>(session);
            using OpenModel.Use use = open.Owner.Enter();
            StateSnapshot snapshot = StateSnapshot.Parse(Arguments.Values((byte*)data, bytes, "data").ToArray(), "the saved state");
            open.Session.Restore(snapshot);
            open.Replaced();
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_session_sample", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Sample(ulong session, ulong sampler, int* token)
    {
        try
        {
            Arguments.Require(token, "token");
            SamplerChain chain = Handles.Get<SamplerChain>(sampler);
            OpenSession open = Handles.Get<OpenSession>(session);
            using OpenModel.Use use = open.Owner.Enter();
            *token = open.Sample(chain);
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }
}
