// MambaRT for C# programs that are not .NET 10: Unity, Godot, Mono. One file over the C library (libmambart, mambart.dll), for .NET Standard 2.1 and C# 8, with
// unsafe code allowed and no dependencies. Text comes by polling, so that no function of yours is called from native code (IL2CPP). Threads, ownership and what
// each call does: mambart.h.
#nullable disable
using System;
using System.Runtime.InteropServices;
using System.Text;

namespace MambaRT.Interop
{
    /// <summary>A failed call: its code (MRT_ERROR_...) and its sentence.</summary>
    public sealed class MambaException : Exception
    {
        internal MambaException(int code, string message) : base(message) => Code = code;

        public int Code { get; }
    }

    /// <summary>How tokens are picked: llama.cpp's names and defaults.</summary>
    public sealed class MambaSampling
    {
        public float Temperature = 0.8f, TopP = 0.95f, MinP = 0.05f, RepeatPenalty = 1, FrequencyPenalty, PresencePenalty;
        public int TopK = 40, RepeatLastN = 64;
        public uint? Seed;
    }

    /// <summary>A model. One thread at a time with all that is made from it.</summary>
    public sealed unsafe class MambaModel : IDisposable
    {
        internal ulong Handle;

        private MambaModel(ulong handle) => Handle = handle;

        /// <summary>Opens a GGUF file, or a part of one. pipelineFolder: where a GPU keeps what its driver makes of shaders; stateFolder: where hosts and chats keep states.</summary>
        public static MambaModel Open(string path, string backend = null, int threads = 0, long offset = 0, long length = 0, long stateBudget = 0, string pipelineFolder = null, string stateFolder = null)
        {
            Native.ModelOptions options;
            Native.Check(Native.mrt_model_options_init(&options, (UIntPtr)sizeof(Native.ModelOptions)));
            options.Threads = threads;
            (options.Offset, options.Length, options.StateBudget) = (offset, length, stateBudget);
            ulong handle;
            fixed (byte* file = Native.Text(path), name = Native.Text(backend), pipelines = Native.Text(pipelineFolder), states = Native.Text(stateFolder))
            {
                options.Backend = name;
                options.PipelineFolder = pipelines;
                options.StateFolder = states;
                Native.Check(Native.mrt_model_open(file, &options, &handle));
            }
            return new MambaModel(handle);
        }

        /// <summary>Its name, from the file.</summary>
        public string Name => Native.Read((byte* text, UIntPtr capacity, UIntPtr* length) => Native.mrt_model_name(Handle, text, capacity, length));

        /// <summary>The backend it runs on.</summary>
        public string Backend => Native.Read((byte* text, UIntPtr capacity, UIntPtr* length) => Native.mrt_model_backend(Handle, text, capacity, length));

        /// <summary>Makes a host; with manual it is driven by its Step.</summary>
        public MambaHost Serve(bool manual = true, int maxSequences = 64)
        {
            Native.HostOptions options;
            Native.Check(Native.mrt_host_options_init(&options, (UIntPtr)sizeof(Native.HostOptions)));
            (options.Manual, options.MaxSequences) = (manual ? 1 : 0, maxSequences);
            ulong host;
            Native.Check(Native.mrt_host_create(Handle, &options, &host));
            return new MambaHost(host);
        }

        /// <summary>Encodes text; special: the text of control tokens stands for those tokens.</summary>
        public int[] Encode(string text, bool beginning, bool special = false)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            int[] tokens = new int[bytes.Length + 1];
            uint flags = (beginning ? 1u : 0) | (special ? 2u : 0);
            UIntPtr count;
            int code;
            do
            {
                fixed (byte* t = bytes)
                fixed (int* ids = tokens)
                    code = Native.mrt_encode(Handle, t, (UIntPtr)bytes.Length, flags, ids, (UIntPtr)tokens.Length, &count);
                if ((int)count > tokens.Length) tokens = new int[(int)count];
            }
            while (code == Native.BufferTooSmall);
            Native.Check(code);
            Array.Resize(ref tokens, (int)count);
            return tokens;
        }

        /// <summary>The bytes of a token; they may end in the middle of a character.</summary>
        public byte[] Decode(int token, bool special = false) => Native.ReadBytes((byte* text, UIntPtr capacity, UIntPtr* length) => Native.mrt_decode(Handle, token, special ? 1 : 0, text, capacity, length));

        /// <summary>Whether generation ends at a token.</summary>
        public bool EndsGeneration(int token) => Native.mrt_ends_generation(Handle, token) != 0;

        /// <summary>Starts a sequence.</summary>
        public MambaSession Start()
        {
            ulong handle;
            Native.Check(Native.mrt_session_start(Handle, &handle));
            return new MambaSession(handle);
        }

        /// <summary>Begins a conversation; template: a name such as "chatml", or null for the model's own.</summary>
        public MambaChat Chat(MambaSampler sampler, string system = null, int maxTokens = -1, string template = null)
        {
            Native.TextOptions options;
            Native.Check(Native.mrt_text_options_init(&options, (UIntPtr)sizeof(Native.TextOptions)));
            options.MaxTokens = maxTokens;
            ulong handle;
            fixed (byte* name = Native.Text(template), told = Native.Text(system))
                Native.Check(Native.mrt_chat_create(Handle, sampler.Handle, name, told, &options, &handle));
            return new MambaChat(handle);
        }

        public void Dispose()
        {
            if (Handle != 0) Native.mrt_model_close(Handle);
            Handle = 0;
        }
    }

    /// <summary>What picks tokens.</summary>
    public sealed unsafe class MambaSampler : IDisposable
    {
        internal ulong Handle;

        public MambaSampler(MambaSampling sampling = null)
        {
            sampling = sampling ?? new MambaSampling();
            Native.SamplerOptions options;
            Native.Check(Native.mrt_sampler_options_init(&options, (UIntPtr)sizeof(Native.SamplerOptions), 0));
            (options.Temperature, options.TopP, options.MinP, options.TopK) = (sampling.Temperature, sampling.TopP, sampling.MinP, sampling.TopK);
            (options.RepeatPenalty, options.RepeatLastN) = (sampling.RepeatPenalty, sampling.RepeatLastN);
            (options.FrequencyPenalty, options.PresencePenalty) = (sampling.FrequencyPenalty, sampling.PresencePenalty);
            (options.HasSeed, options.Seed) = (sampling.Seed.HasValue ? 1 : 0, sampling.Seed.GetValueOrDefault());
            ulong handle;
            Native.Check(Native.mrt_sampler_create(&options, &handle));
            Handle = handle;
        }

        public void Dispose()
        {
            if (Handle != 0) Native.mrt_sampler_close(Handle);
            Handle = 0;
        }
    }

    /// <summary>One sequence.</summary>
    public sealed unsafe class MambaSession : IDisposable
    {
        private ulong _handle;

        internal MambaSession(ulong handle) => _handle = handle;

        /// <summary>Tokens absorbed.</summary>
        public long Position
        {
            get
            {
                long position;
                Native.Check(Native.mrt_session_position(_handle, &position));
                return position;
            }
        }

        /// <summary>Feeds tokens.</summary>
        public void Feed(params int[] tokens)
        {
            fixed (int* ids = tokens) Native.Check(Native.mrt_session_feed(_handle, ids, (UIntPtr)tokens.Length, null));
        }

        /// <summary>Begins to feed tokens in slices of time; <see cref="Step"/> until there is no more.</summary>
        public void Begin(params int[] tokens)
        {
            fixed (int* ids = tokens) Native.Check(Native.mrt_session_begin(_handle, ids, (UIntPtr)tokens.Length));
        }

        /// <summary>Begins to feed a prompt and to generate after it in slices of time; leave the sampler alone meanwhile.</summary>
        public void Generate(MambaSampler sampler, int maxTokens, params int[] tokens)
        {
            fixed (int* ids = tokens) Native.Check(Native.mrt_session_generate(_handle, ids, (UIntPtr)tokens.Length, sampler.Handle, maxTokens));
        }

        /// <summary>Goes on for some microseconds of a frame.</summary>
        public MambaProgress Step(long budgetMicroseconds)
        {
            Native.Progress progress = Native.Progress.New;
            Native.Check(Native.mrt_session_step(_handle, budgetMicroseconds, &progress));
            return new MambaProgress(progress);
        }

        /// <summary>Tokens that were generated so, from the from-th on.</summary>
        public int[] Generated(int from = 0)
        {
            int[] tokens = new int[64];
            UIntPtr count;
            int code;
            do
            {
                fixed (int* ids = tokens) code = Native.mrt_session_generated(_handle, from, ids, (UIntPtr)tokens.Length, &count);
                if ((int)count > tokens.Length) tokens = new int[(int)count];
            }
            while (code == Native.BufferTooSmall);
            Native.Check(code);
            Array.Resize(ref tokens, (int)count);
            return tokens;
        }

        /// <summary>Picks a token; it is not fed.</summary>
        public int Sample(MambaSampler sampler)
        {
            int token;
            Native.Check(Native.mrt_session_sample(_handle, sampler.Handle, &token));
            return token;
        }

        /// <summary>A session with the same past.</summary>
        public MambaSession Fork()
        {
            ulong handle;
            Native.Check(Native.mrt_session_fork(_handle, &handle));
            return new MambaSession(handle);
        }

        /// <summary>Takes over the past of another session.</summary>
        public void Rewind(MambaSession past) => Native.Check(Native.mrt_session_rewind(_handle, past._handle));

        /// <summary>Back to before the first token.</summary>
        public void Reset() => Native.Check(Native.mrt_session_reset(_handle));

        /// <summary>Ends a feed that another thread is in, from any thread.</summary>
        public void Cancel() => Native.Check(Native.mrt_session_cancel(_handle));

        /// <summary>The state, for a save game.</summary>
        public byte[] Save() => Native.ReadBytes((byte* data, UIntPtr capacity, UIntPtr* written) => Native.mrt_session_save(_handle, data, capacity, written));

        /// <summary>Goes on from a saved state.</summary>
        public void Restore(byte[] state)
        {
            fixed (byte* data = state) Native.Check(Native.mrt_session_restore(_handle, data, (UIntPtr)state.Length));
        }

        public void Dispose()
        {
            if (_handle != 0) Native.mrt_session_close(_handle);
            _handle = 0;
        }
    }

    /// <summary>A conversation.</summary>
    public sealed unsafe class MambaChat : IDisposable
    {
        private ulong _handle;

        internal MambaChat(ulong handle) => _handle = handle;

        /// <summary>Says something; <see cref="Next"/> gives the answer.</summary>
        public void Say(string said)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(said);
            fixed (byte* text = bytes) Native.Check(Native.mrt_chat_begin(_handle, text, (UIntPtr)bytes.Length));
        }

        /// <summary>Computes the next piece of the answer; null at its end.</summary>
        public string Next()
        {
            string piece = Native.Read((byte* text, UIntPtr capacity, UIntPtr* length) => Native.mrt_chat_next(_handle, text, capacity, length));
            return piece.Length == 0 ? null : piece;
        }

        /// <summary>Takes back the last turn; false where there was none.</summary>
        public bool Undo()
        {
            int undone;
            Native.Check(Native.mrt_chat_undo(_handle, &undone));
            return undone != 0;
        }

        /// <summary>Counts and times of the answer at hand, or the last one.</summary>
        public MambaStats Stats => Native.Stats(_handle, Native.mrt_chat_stats);

        /// <summary>Ends the answer, from any thread.</summary>
        public void Cancel() => Native.Check(Native.mrt_chat_cancel(_handle));

        /// <summary>Saves turns and state in a file.</summary>
        public void Save(string path)
        {
            fixed (byte* file = Native.Text(path)) Native.Check(Native.mrt_chat_save(_handle, file));
        }

        /// <summary>Goes on with a saved conversation.</summary>
        public void Load(string path)
        {
            fixed (byte* file = Native.Text(path)) Native.Check(Native.mrt_chat_load(_handle, file));
        }

        public void Dispose()
        {
            if (_handle != 0) Native.mrt_chat_close(_handle);
            _handle = 0;
        }
    }

    /// <summary>What a step for a time has done.</summary>
    public readonly struct MambaProgress
    {
        internal MambaProgress(Native.Progress made) =>
            (PromptTokens, GeneratedTokens, Finished, HasMore) = (made.PromptTokens, made.GeneratedTokens, made.Finished, made.More != 0);

        public int PromptTokens { get; }

        public int GeneratedTokens { get; }

        public int Finished { get; }

        public bool HasMore { get; }
    }

    /// <summary>Counts and times of an answer.</summary>
    public readonly struct MambaStats
    {
        internal MambaStats(Native.TextStats stats) =>
            (Stop, PromptTokens, CachedTokens, GeneratedTokens, PromptMicroseconds, GenerationMicroseconds) =
            (stats.Stop, stats.PromptTokens, stats.CachedTokens, stats.GeneratedTokens, stats.PromptMicroseconds, stats.GenerationMicroseconds);

        /// <summary>MRT_STOP_...: 0 while it goes on.</summary>
        public int Stop { get; }

        /// <summary>Tokens that were fed before the first was generated.</summary>
        public int PromptTokens { get; }

        /// <summary>Tokens before those that were not fed, as a state had absorbed them.</summary>
        public int CachedTokens { get; }

        public int GeneratedTokens { get; }

        public long PromptMicroseconds { get; }

        public long GenerationMicroseconds { get; }
    }

    /// <summary>Many answers at once: with a thread of its own or, where it is manual, by <see cref="Step"/> in each frame. Any thread.</summary>
    public sealed unsafe class MambaHost : IDisposable
    {
        private ulong _handle;

        internal MambaHost(ulong handle) => _handle = handle;

        /// <summary>Asks for the text that follows tokens.</summary>
        public MambaRequest Submit(MambaSampler sampler, int maxTokens, params int[] tokens)
        {
            Native.TextOptions options;
            Native.Check(Native.mrt_text_options_init(&options, (UIntPtr)sizeof(Native.TextOptions)));
            options.MaxTokens = maxTokens;
            ulong request;
            fixed (int* ids = tokens) Native.Check(Native.mrt_host_submit(_handle, ids, (UIntPtr)tokens.Length, sampler.Handle, &options, IntPtr.Zero, IntPtr.Zero, &request));
            return new MambaRequest(request);
        }

        /// <summary>Drives a manual host for some microseconds of a frame.</summary>
        public MambaProgress Step(long budgetMicroseconds)
        {
            Native.Progress progress = Native.Progress.New;
            Native.Check(Native.mrt_host_step(_handle, budgetMicroseconds, &progress));
            return new MambaProgress(progress);
        }

        public void Dispose()
        {
            if (_handle != 0) Native.mrt_host_close(_handle);
            _handle = 0;
        }
    }

    /// <summary>An answer that a host computes.</summary>
    public sealed unsafe class MambaRequest : IDisposable
    {
        private ulong _handle;

        internal MambaRequest(ulong handle) => _handle = handle;

        /// <summary>Text that was computed since, which may be none; null when nothing more will come.</summary>
        public string Read()
        {
            int ended = 0;
            string text = Native.Read((byte* place, UIntPtr capacity, UIntPtr* length) =>
            {
                int over;
                int code = Native.mrt_request_read(_handle, place, capacity, length, &over);
                ended = over;
                return code;
            });
            return ended != 0 && text.Length == 0 ? null : text;
        }

        /// <summary>Counts and times so far.</summary>
        public MambaStats Stats => Native.Stats(_handle, Native.mrt_request_stats);

        /// <summary>Ends it within about a token's time.</summary>
        public void Cancel() => Native.Check(Native.mrt_request_cancel(_handle));

        public void Dispose()
        {
            if (_handle != 0) Native.mrt_request_close(_handle);
            _handle = 0;
        }
    }

    internal static unsafe class Native
    {
        internal const int BufferTooSmall = 10;
        private const string Library = "libmambart";

        internal delegate int Fill(byte* data, UIntPtr capacity, UIntPtr* length);

        internal static void Check(int code)
        {
            if (code != 0) throw new MambaException(code, Marshal.PtrToStringUTF8((IntPtr)mrt_last_error()));
        }

        internal delegate int StatsOf(ulong handle, TextStats* stats);

        internal static MambaStats Stats(ulong handle, StatsOf of)
        {
            var stats = new TextStats { Size = (uint)sizeof(TextStats) };
            Check(of(handle, &stats));
            return new MambaStats(stats);
        }

        internal static byte[] Text(string text) => text == null ? null : Encoding.UTF8.GetBytes(text + "\0");

        internal static string Read(Fill fill) => Encoding.UTF8.GetString(ReadBytes(fill));

        internal static byte[] ReadBytes(Fill fill)
        {
            byte[] data = new byte[256];
            UIntPtr length;
            int code;
            do
            {
                fixed (byte* place = data) code = fill(place, (UIntPtr)data.Length, &length);
                if ((int)length > data.Length) data = new byte[(int)length];
            }
            while (code == BufferTooSmall);
            Check(code);
            Array.Resize(ref data, (int)length);
            return data;
        }

        [StructLayout(LayoutKind.Sequential)]
        internal struct ModelOptions
        {
            public uint Size;
            public int Threads;
            public byte* Backend;
            public int ChunkTokens, GpuLayers, CopyToMemory;
            public long StateBudget, Offset, Length;
            public IntPtr Progress, User;
            public long MemoryLimit;
            public IntPtr Allocate, Release, AllocatorUser, ParallelFor, ParallelUser;
            public byte* PipelineFolder, StateFolder;
        }

        [StructLayout(LayoutKind.Sequential)]
        internal struct SamplerOptions
        {
            public uint Size;
            public float Temperature;
            public int TopK;
            public float TopP, MinP, TypicalP, RepeatPenalty;
            public int RepeatLastN;
            public float FrequencyPenalty, PresencePenalty, XtcProbability, XtcThreshold;
            public int Mirostat;
            public float MirostatTau, MirostatEta;
            public int HasSeed;
            public uint Seed;
        }

        [StructLayout(LayoutKind.Sequential)]
        internal struct Progress
        {
            public uint Size;
            public int PromptTokens, GeneratedTokens, Finished, More;

            public static Progress New => new Progress { Size = (uint)sizeof(Progress) };
        }

        [StructLayout(LayoutKind.Sequential)]
        internal struct HostOptions
        {
            public uint Size;
            public int Manual, MaxSequences, MaxQueue, Deterministic;
        }

        [StructLayout(LayoutKind.Sequential)]
        internal struct TextStats
        {
            public uint Size;
            public int Stop, PromptTokens, GeneratedTokens;
            public long PromptMicroseconds, GenerationMicroseconds;
            public int CachedTokens;
        }

        [StructLayout(LayoutKind.Sequential)]
        internal struct TextOptions
        {
            public uint Size;
            public int MaxTokens;
            public byte** Stop;
            public UIntPtr StopCount;
            public int IgnoreEnd;
        }

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern byte* mrt_last_error();
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_model_options_init(ModelOptions* options, UIntPtr size);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_model_open(byte* path, ModelOptions* options, ulong* model);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_model_close(ulong model);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_model_name(ulong model, byte* text, UIntPtr capacity, UIntPtr* length);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_model_backend(ulong model, byte* text, UIntPtr capacity, UIntPtr* length);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_encode(ulong model, byte* text, UIntPtr bytes, uint flags, int* tokens, UIntPtr capacity, UIntPtr* count);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_decode(ulong model, int token, int special, byte* text, UIntPtr capacity, UIntPtr* length);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_ends_generation(ulong model, int token);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_session_start(ulong model, ulong* session);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_session_close(ulong session);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_session_feed(ulong session, int* tokens, UIntPtr count, float** logits);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_session_cancel(ulong session);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_session_begin(ulong session, int* tokens, UIntPtr count);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_session_step(ulong session, long budget_us, Progress* progress);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_session_generate(ulong session, int* tokens, UIntPtr count, ulong sampler, int max_tokens);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_session_generated(ulong session, int from, int* tokens, UIntPtr capacity, UIntPtr* count);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_session_position(ulong session, long* position);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_session_fork(ulong session, ulong* fork);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_session_rewind(ulong session, ulong past);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_session_reset(ulong session);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_session_save(ulong session, void* data, UIntPtr capacity, UIntPtr* written);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_session_restore(ulong session, void* data, UIntPtr bytes);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_sampler_options_init(SamplerOptions* options, UIntPtr size, ulong model);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_sampler_create(SamplerOptions* options, ulong* sampler);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_sampler_close(ulong sampler);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_session_sample(ulong session, ulong sampler, int* token);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_text_options_init(TextOptions* options, UIntPtr size);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_chat_create(ulong model, ulong sampler, byte* tmpl, byte* system, TextOptions* options, ulong* chat);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_chat_begin(ulong chat, byte* said, UIntPtr bytes);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_chat_next(ulong chat, byte* text, UIntPtr capacity, UIntPtr* length);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_chat_undo(ulong chat, int* undone);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_chat_cancel(ulong chat);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_chat_stats(ulong chat, TextStats* stats);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_chat_save(ulong chat, byte* path);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_chat_load(ulong chat, byte* path);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_chat_close(ulong chat);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_host_options_init(HostOptions* options, UIntPtr size);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_host_create(ulong model, HostOptions* options, ulong* host);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_host_submit(ulong host, int* tokens, UIntPtr count, ulong sampler, TextOptions* options, IntPtr text, IntPtr user, ulong* request);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_host_step(ulong host, long budget_us, Progress* progress);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_host_close(ulong host);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_request_read(ulong request, byte* text, UIntPtr capacity, UIntPtr* length, int* ended);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_request_cancel(ulong request);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_request_stats(ulong request, TextStats* stats);
        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)] internal static extern int mrt_request_close(ulong request);
    }
}
