using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MambaRT.CApi;

/// <summary>Models. What each function does stands in mambart.h.</summary>
internal static unsafe class ModelExports
{
    [UnmanagedCallersOnly(EntryPoint = "mrt_model_options_init", CallConvs = [typeof(CallConvCdecl)])]
    private static Status OptionsInit(ModelOptionsLayout* options, nuint size)
    {
        try
        {
            Arguments.Init(options, size, ModelOptionsLayout.Defaults, "mrt_model_options");
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_set_allocator", CallConvs = [typeof(CallConvCdecl)])]
    private static Status SetAllocator(ModelOptionsLayout* options, delegate* unmanaged[Cdecl]<void*, nuint, void*> allocate, delegate* unmanaged[Cdecl]<void*, void*, nuint, void> release, void* user)
    {
        try
        {
            Arguments.Require(options, "options");
            RequireUpTo(options, &options->ParallelFor);
            options->Allocate = allocate;
            options->Release = release;
            options->AllocatorUser = user;
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_set_parallel_for", CallConvs = [typeof(CallConvCdecl)])]
    private static Status SetParallelFor(ModelOptionsLayout* options, delegate* unmanaged[Cdecl]<void*, int, delegate* unmanaged[Cdecl]<void*, int, void>, void*, void> run, void* user)
    {
        try
        {
            Arguments.Require(options, "options");
            RequireUpTo(options, &options->PipelineFolder);
            options->ParallelFor = run;
            options->ParallelUser = user;
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_estimate", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Estimate(byte* path, ModelOptionsLayout* options, int sessions, MemoryLayout* memory)
    {
        try
        {
            string file = Arguments.Path(path);
            if (sessions < 0) throw new StatusException(Status.Argument, $"'sessions' is {sessions}; 0 or more are needed.");
            ModelOptionsLayout taken = Arguments.Take(options, ModelOptionsLayout.Defaults, "mrt_model_options_init");
            using var device = new Device(taken);
            long logits = 0;
            MemoryEstimate estimate = Model.Estimate(file, (plan, weights) =>
            {
                logits = sessions * OpenSession.LogitsBytes(plan);
                return device.Choose(plan, weights);
            }, FileOptionsOf(taken), sessions);
            Arguments.Fill(memory, new MemoryLayout
            {
                OnDevice = estimate.Use.OnDevice ? 1 : 0, FileBytes = estimate.File,
                WeightBytes = estimate.Use.Weights, StatesBytes = estimate.Use.States, ScratchBytes = estimate.Use.Scratch + logits, TotalBytes = estimate.Total + logits,
            }, "sizeof(mrt_memory)");
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_model_open", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Open(byte* path, ModelOptionsLayout* options, ulong* model)
    {
        try
        {
            Arguments.Require(model, "model");
            string file = Arguments.Path(path);
            ModelOptionsLayout taken = Arguments.Take(options, ModelOptionsLayout.Defaults, "mrt_model_options_init");
            using var report = new LoadReport(taken);
            ModelOptions made = FileOptionsOf(taken) with { Progress = report };
            *model = Handles.Add(OpenModel.Open(choose => Model.OpenOnChoice(file, choose, made, report.Cancel), taken));
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_model_open_memory", CallConvs = [typeof(CallConvCdecl)])]
    private static Status OpenMemory(void* data, long bytes, ModelOptionsLayout* options, ulong* model)
    {
        try
        {
            Arguments.Require(model, "model");
            Arguments.Require(data, "data");
            ModelOptionsLayout taken = Arguments.Take(options, ModelOptionsLayout.Defaults, "mrt_model_options_init");
            using var report = new LoadReport(taken);
            ModelOptions made = OptionsOf(taken) with { Progress = report };
            GgufFile file = GgufFile.OpenMemory((nint)data, bytes);
            *model = Handles.Add(OpenModel.Open(choose => Model.OpenOnChoice(file, choose, made, report.Cancel), taken));
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_model_close", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Close(ulong model)
    {
        try
        {
            LentCalls.RefuseWithin();
            Handles.Remove<OpenModel>(model).Close();
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_model_describe", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Describe(ulong model, ModelInfoLayout* info)
    {
        try
        {
            OpenModel open = Handles.Get<OpenModel>(model);
            using OpenModel.Use use = open.Enter();
            Model m = open.Model;
            MemoryUse memory = m.Memory;
            Arguments.Fill(info, new ModelInfoLayout
            {
                Vocabulary = m.Plan.VocabularySize, ChunkTokens = m.ChunkTokens, OnDevice = memory.OnDevice ? 1 : 0, StateBytes = m.StateBytes, StateBudget = m.StateBudget,
                WeightBytes = memory.Weights, StatesBytes = memory.States, ScratchBytes = memory.Scratch,
                Bos = m.Tokenizer.Bos, Eos = m.Tokenizer.Eos, Eot = m.Tokenizer.Eot, HasVocabulary = m.Tokenizer.HasVocabulary ? 1 : 0,
            }, "sizeof(mrt_model_info)");
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_model_name", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Name(ulong model, byte* text, nuint capacity, nuint* length)
    {
        try
        {
            Arguments.Give(Handles.Get<OpenModel>(model).Model.Name, text, capacity, length);
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_model_backend", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Backend(ulong model, byte* text, nuint capacity, nuint* length)
    {
        try
        {
            Arguments.Give(Handles.Get<OpenModel>(model).Model.BackendName, text, capacity, length);
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_model_metadata", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Metadata(ulong model, byte* key, byte* text, nuint capacity, nuint* length)
    {
        try
        {
            string name = Arguments.Text(key, "key");
            GgufMetadata metadata = Handles.Get<OpenModel>(model).Model.Metadata;
            if (!metadata.TryGet(name, out GgufValue value) || value.Value is not string found) throw new StatusException(Status.Argument, $"The model's file has no text called '{name}'.");
            Arguments.Give(found, text, capacity, length);
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    /// <summary>Refuses options of a header that did not have the fields before <paramref name="end"/>.</summary>
    private static void RequireUpTo(ModelOptionsLayout* options, void* end)
    {
        long needed = (byte*)end - (byte*)options;
        if (options->Size < needed || options->Size > sizeof(ModelOptionsLayout))
            throw new StatusException(Status.Argument, $"The options say that they have {options->Size} bytes; {needed} to {sizeof(ModelOptionsLayout)} are needed. Have them set by mrt_model_options_init.");
    }

    private static ModelOptions FileOptionsOf(in ModelOptionsLayout taken)
    {
        if (taken.Offset < 0) throw new StatusException(Status.Argument, $"'offset' is {taken.Offset}; 0 or more are needed.");
        if (taken.Length < 0) throw new StatusException(Status.Argument, $"'length' is {taken.Length}; 0 (up to the file's end) or more are needed.");
        return OptionsOf(taken) with { Offset = taken.Offset, Length = taken.Length > 0 ? taken.Length : null, CopyToMemory = taken.CopyToMemory != 0 };
    }

    private static ModelOptions OptionsOf(in ModelOptionsLayout taken)
    {
        if (taken.ChunkTokens < 0) throw new StatusException(Status.Argument, $"'chunk_tokens' is {taken.ChunkTokens}; 0 (the device's choice) or more are needed.");
        if (taken.StateBudget < 0) throw new StatusException(Status.Argument, $"'state_budget' is {taken.StateBudget}; 0 (an eighth of the machine's memory) or more are needed.");
        return new ModelOptions
        {
            ChunkTokens = taken.ChunkTokens > 0 ? taken.ChunkTokens : null,
            StateBudget = taken.StateBudget > 0 ? taken.StateBudget : null,
            Memory = MemoryOf(taken),
            Checkpoints = new CheckpointOptions { Folder = Arguments.FolderOrNull(taken.StateFolder, "state_folder") },
        };
    }

    private static HostMemory? MemoryOf(in ModelOptionsLayout taken)
    {
        if (taken.MemoryLimit < 0) throw new StatusException(Status.Argument, $"'memory_limit' is {taken.MemoryLimit}; 0 (none) or more are needed.");
        if ((taken.Allocate == null) != (taken.Release == null)) throw new StatusException(Status.Argument, "One of the allocator's functions is NULL; both are needed, or none.");
        if (taken.MemoryLimit == 0 && taken.Allocate == null) return null;
        return new HostMemory(taken.MemoryLimit > 0 ? taken.MemoryLimit : long.MaxValue, taken.Allocate == null ? null : new LentMemory(taken));
    }
}
