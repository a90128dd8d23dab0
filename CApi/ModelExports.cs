using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MambaRT.CApi;

/// <summary>Models. What each function does stands in mambart.h.</summary>
internal static unsafe class ModelExports
{
    [UnmanagedCallersOnly(EntryPoint = "mrt_model_options_init", CallConvs = [typeof(CallConvCdecl)])]
    private static Status OptionsInit(ModelOptionsLayout* options)
    {
        try
        {
            Arguments.Require(options, "options");
            *options = ModelOptionsLayout.Defaults;
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
            string file = Arguments.Text(path, "path");
            ModelOptionsLayout taken = Arguments.Take(options, ModelOptionsLayout.Defaults, "mrt_model_options_init");
            using var report = new LoadReport(taken);
            ModelOptions made = OptionsOf(taken, report) with { Offset = taken.Offset, Length = taken.Length > 0 ? taken.Length : null, CopyToMemory = taken.CopyToMemory != 0 };
            *model = Handles.Add(OpenModel.Open(choose => Model.OpenOnChoice(file, choose, made, report.Cancel), Arguments.TextOrNull(taken.Backend), taken.Threads, taken.GpuLayers));
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
            ModelOptions made = OptionsOf(taken, report);
            GgufFile file = GgufFile.OpenMemory((nint)data, bytes);
            *model = Handles.Add(OpenModel.Open(choose => Model.OpenOnChoice(file, choose, made, report.Cancel), Arguments.TextOrNull(taken.Backend), taken.Threads, taken.GpuLayers));
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_model_close", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Close(ulong model)
    {
        try
        {
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
            string value = Handles.Get<OpenModel>(model).Model.Metadata.TryGetString(name) ?? throw new StatusException(Status.Argument, $"The model's file has no text called '{name}'.");
            Arguments.Give(value, text, capacity, length);
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    private static ModelOptions OptionsOf(in ModelOptionsLayout taken, LoadReport report)
    {
        if (taken.ChunkTokens < 0) throw new StatusException(Status.Argument, $"'chunk_tokens' is {taken.ChunkTokens}; 0 (the device's choice) or more are needed.");
        if (taken.StateBudget < 0) throw new StatusException(Status.Argument, $"'state_budget' is {taken.StateBudget}; 0 (an eighth of the machine's memory) or more are needed.");
        return new ModelOptions
        {
            ChunkTokens = taken.ChunkTokens > 0 ? taken.ChunkTokens : null,
            StateBudget = taken.StateBudget > 0 ? taken.StateBudget : null,
            Progress = report,
        };
    }
}
