using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MambaRT.CApi;

/// <summary>Conversations. What each function does stands in mambart.h.</summary>
internal static unsafe class ChatExports
{
    [UnmanagedCallersOnly(EntryPoint = "mrt_chat_create", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Create(ulong model, ulong sampler, byte* template, byte* system, TextOptionsLayout* options, ulong* chat)
    {
        try
        {
            Arguments.Require(chat, "chat");
            OpenModel open = Handles.Get<OpenModel>(model);
            SamplerChain chain = Handles.Get<SamplerChain>(sampler).Clone();
            GenerationOptions settings = TextSettings.Of(options);
            ChatTemplate turns = TextSettings.Template(open.Model, Arguments.TextOrNull(template));
            using OpenModel.Use use = open.Enter();
            Session session = open.Model.StartSession();
            try
            {
                *chat = Handles.Add(new OpenChat(open, new ChatSession(session, turns, chain, settings, Arguments.TextOrNull(system))));
            }
            catch
            {
                session.Dispose();
                throw;
            }
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_chat_encode", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Encode(ulong model, byte* template, MessageLayout* messages, nuint count, int* tokens, nuint capacity, nuint* length)
    {
        try
        {
            ReadOnlySpan<MessageLayout> given = Arguments.Values(messages, count, "messages");
            var said = new ChatMessage[given.Length];
            for (int i = 0; i < said.Length; i++) said[i] = new ChatMessage(Arguments.Text(given[i].Role, "role"), Arguments.Text(given[i].Text, "text"));
            Arguments.Give<int>(Handles.Get<OpenModel>(model).Prompts(Arguments.TextOrNull(template)).Encode(said), tokens, capacity, length, "length");
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_chat_say", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Say(ulong chat, byte* said, nuint bytes, delegate* unmanaged[Cdecl]<void*, byte*, nuint, int> text, void* user)
    {
        try
        {
            OpenChat open = Handles.Get<OpenChat>(chat);
            using OpenModel.Use use = open.Owner.Enter();
            open.Begin(Arguments.Text(said, bytes, "said"));
            open.Run(text, user);
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_chat_begin", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Begin(ulong chat, byte* said, nuint bytes)
    {
        try
        {
            OpenChat open = Handles.Get<OpenChat>(chat);
            using OpenModel.Use use = open.Owner.Enter();
            open.Begin(Arguments.Text(said, bytes, "said"));
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_chat_next", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Next(ulong chat, byte* text, nuint capacity, nuint* length)
    {
        try
        {
            OpenChat open = Handles.Get<OpenChat>(chat);
            using OpenModel.Use use = open.Owner.Enter();
            open.Next(text, capacity, length);
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_chat_retry", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Retry(ulong chat)
    {
        try
        {
            OpenChat open = Handles.Get<OpenChat>(chat);
            using OpenModel.Use use = open.Owner.Enter();
            open.Begin(null);
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_chat_undo", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Undo(ulong chat, int* undone)
    {
        try
        {
            OpenChat open = Handles.Get<OpenChat>(chat);
            using OpenModel.Use use = open.Owner.Enter();
            bool done = open.Chat.Undo();
            if (undone != null) *undone = done ? 1 : 0;
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_chat_reset", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Reset(ulong chat)
    {
        try
        {
            OpenChat open = Handles.Get<OpenChat>(chat);
            using OpenModel.Use use = open.Owner.Enter();
            open.Chat.Reset();
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_chat_fork", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Fork(ulong chat, ulong* fork)
    {
        try
        {
            Arguments.Require(fork, "fork");
            OpenChat open = Handles.Get<OpenChat>(chat);
            using OpenModel.Use use = open.Owner.Enter();
            *fork = Handles.Add(new OpenChat(open.Owner, open.Chat.Fork()));
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_chat_cancel", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Cancel(ulong chat)
    {
        try
        {
            Handles.Get<OpenChat>(chat).Cancellation.Request();
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_chat_save", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Save(ulong chat, byte* path)
    {
        try
        {
            OpenChat open = Handles.Get<OpenChat>(chat);
            using OpenModel.Use use = open.Owner.Enter();
            open.Chat.Save(Arguments.Path(path));
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_chat_load", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Load(ulong chat, byte* path)
    {
        try
        {
            OpenChat open = Handles.Get<OpenChat>(chat);
            using OpenModel.Use use = open.Owner.Enter();
            open.Chat.Load(Arguments.Path(path));
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_chat_stats", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Stats(ulong chat, TextStatsLayout* stats)
    {
        try
        {
            TextSettings.Fill(stats, Handles.Get<OpenChat>(chat).Stats);
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_chat_close", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Close(ulong chat)
    {
        try
        {
            Handles.Remove<OpenChat>(chat).Close();
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }
}
