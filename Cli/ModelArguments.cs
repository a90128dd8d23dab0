using System.CommandLine;
using MambaRT.Backends.Auto;
using MambaRT.Backends.Cpu;
using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>A model together with the backend it runs on.</summary>
internal sealed class OpenedModel(Model model, BackendChoice choice) : IDisposable
{
    public Model Model => model;

    public IBackend Backend => choice.Backend;

    public void Dispose()
    {
        model.Dispose();
        choice.Dispose();
    }
}

/// <summary>The options that say which model runs where: -m, --backend, -ngl, -t, --affinity, and the answer to -c.</summary>
/// <param name="keepsStates">Whether the verb keeps states of what was fed, and has the options for that.</param>
internal sealed class ModelArguments(bool keepsStates = false)
{
    private readonly Option<string?> _model = OptionOf.Text("--model", ["-m"], "FILE", "The model, a .gguf file; without it the bundled one.");
    private readonly Option<string?> _backend = BackendOption("--backend", "Where the model runs; cpu:vnni and cpu:avx2 use no newer instructions.");
    private readonly Option<long?> _threads = OptionOf.Whole("--threads", ["-t"], "Threads of the CPU; 0 for one per core.", 0, 1024, "4");
    private readonly Option<int[]?> _affinity = Affinity("Cores that the CPU's threads are pinned to, one a thread. Linux only.");
    private readonly Option<long?> _stateBudget = OptionOf.Size("--state-budget", keepsStates ? ["--cache-ram"] : [], "What the states of all branches and kept turns may take together; an eighth of the memory without it.", "2G");
    private readonly Option<string?> _cacheFolder = OptionOf.Text("--cache-dir", [], "DIR", "Also keeps states of what was fed in this folder, for later calls and other programs; at most as much as --cache-ram.");
    private readonly Option<string?> _cache = OptionOf.Choice("--cache", [], "Whether states of what was fed are kept to go back to; without it on.", ["on", "off"]);
    private readonly OverrideArguments _overrides = new();
    private readonly Option<string?> _context = OptionOf.Text("--ctx-size", ["-c"], "N", "Not needed: the state of these models has a constant size.");
    private readonly Option<long?> _layers = GpuLayers();

    /// <summary>An option that names a backend.</summary>
    public static Option<string?> BackendOption(string name, string description) =>
        OptionOf.Known(name, description, ["auto", .. BackendSelector.Names, .. BackendSelector.Variants], BackendSelector.Spell, $"choose auto, {BackendSelector.Choices}");

    /// <summary>The option that pins threads, by numbers of cores.</summary>
    public static Option<int[]?> Affinity(string description) => OptionOf.WholeList("--affinity", [], description, 0, 1023, "0,1");

    /// <summary>The option that shares a model out between a GPU and the CPU.</summary>
    public static Option<long?> GpuLayers() =>
        OptionOf.Whole("--gpu-layers", ["-ngl", "--n-gpu-layers"], "Layers that run on the GPU, from the model's end; those before run on the CPU. Without it the whole model runs where --backend says.", 0, int.MaxValue, "24");

    /// <summary>Adds what says which file it is alone, for verbs that only read it.</summary>
    public void AddFileTo(Command command)
    {
        command.Options.Add(_model);
        _overrides.AddTo(command);
    }

    /// <summary>Adds the options; without -c where that means something else.</summary>
    public void AddTo(Command command, bool withContext = true)
    {
        command.Options.Add(_model);
        AddBackendTo(command);
        command.Options.Add(_stateBudget);
        if (keepsStates)
        {
            command.Options.Add(_cacheFolder);
            command.Options.Add(_cache);
        }
        if (withContext) command.Options.Add(_context);
    }

    /// <summary>Adds what says where a model runs alone, for verbs that name their models otherwise.</summary>
    public void AddBackendTo(Command command)
    {
        command.Options.Add(_backend);
        command.Options.Add(_layers);
        command.Options.Add(_threads);
        command.Options.Add(_affinity);
        _overrides.AddTo(command);
    }

    /// <summary>What is asked for; the caller disposes it.</summary>
    public BackendChoice Choice(ParseResult arguments) => new(arguments.GetValue(_backend), (int?)arguments.GetValue(_layers), CheckedCpu(arguments));

    private CpuOptions CheckedCpu(ParseResult arguments)
    {
        int threads = (int)(arguments.GetValue(_threads) ?? 0);
        int[]? cores = OptionOf.Given(arguments, _affinity);
        if (cores is not null && threads > 0 && threads != cores.Length)
            throw new UsageException($"--affinity gives {cores.Length} cores for {threads} threads; give one a thread, or leave out one of the two options.");
        return Cpu(arguments);
    }

    /// <summary>The process is the program's own, so its threads may be moved.</summary>
    private CpuOptions Cpu(ParseResult arguments) =>
        new() { Threads = (int)(arguments.GetValue(_threads) ?? 0), Cores = OptionOf.Given(arguments, _affinity), MovesThreads = true };

    /// <summary>Metadata in the place of a file's.</summary>
    public MetadataOverrides Overrides(ParseResult arguments) => _overrides.Read(arguments);

    /// <summary>Whether there is such metadata.</summary>
    public bool HasOverrides(ParseResult arguments) => _overrides.IsGiven(arguments);

    /// <summary>Which file -m means.</summary>
    public ModelFile Locate(ParseResult arguments) => ModelLocator.Find(arguments.GetValue(_model));

    /// <summary>Opens the file alone: headers and metadata.</summary>
    public GgufFile OpenFile(ParseResult arguments)
    {
        MetadataOverrides overrides = Overrides(arguments);
        return Locate(arguments).Open(overrides);
    }

    /// <summary>The files that the model lies in.</summary>
    public IEnumerable<string> Files(ParseResult arguments) => Locate(arguments).Parts();

    /// <summary>Opens the model on the backend asked for; a signal that comes meanwhile ends that.</summary>
    public OpenedModel Open(ParseResult arguments, Terminal terminal, IActivationObserver? observer = null)
    {
        OpenedModel opened = Open(arguments, Locate(arguments), Choice(arguments), terminal, observer);
        Answer(arguments, terminal, opened.Model);
        return opened;
    }

    /// <summary>Opens the model to look at it: where nothing is asked for, on the CPU, which uses weights where the file is mapped and brings nothing to a GPU.</summary>
    public OpenedModel OpenToLook(ParseResult arguments, Terminal terminal) =>
        arguments.GetResult(_layers) is null ? OpenOn(arguments, OrCpu(arguments), CheckedCpu(arguments), terminal) : Open(arguments, terminal);

    /// <summary>Opens the model a second time, on another backend; threads are those asked for, where it has any.</summary>
    public OpenedModel OpenOn(ParseResult arguments, string backend, Terminal terminal) =>
        Open(arguments, Locate(arguments), new BackendChoice(backend, null, BackendSelector.HasThreads(backend) ? Cpu(arguments) : new CpuOptions()), terminal, null);

    /// <summary>Opens the model for a trace: where nothing is asked for, on what can show its operations.</summary>
    /// <exception cref="NotSupportedException">What is asked for cannot.</exception>
    public OpenedModel OpenForTrace(ParseResult arguments, Terminal terminal, string? against)
    {
        foreach (string? name in (string?[])[arguments.GetValue(_backend), against])
            if (name is not null && !BackendSelector.ShowsOps(name))
                throw new NotSupportedException($"The {name} backend cannot show what single operations yield; choose cpu or reference for a trace.");
        if (arguments.GetResult(_layers) is not null) throw new NotSupportedException("A model on two devices cannot show what single operations yield; leave out --gpu-layers for a trace.");
        return OpenOn(arguments, OrCpu(arguments), CheckedCpu(arguments), terminal);
    }

    private string OrCpu(ParseResult arguments) => arguments.GetValue(_backend) is string name and not "auto" ? name : BackendSelector.Names[0];

    private OpenedModel OpenOn(ParseResult arguments, string backend, CpuOptions cpu, Terminal terminal)
    {
        OpenedModel opened = Open(arguments, Locate(arguments), new BackendChoice(backend, null, cpu), terminal, null);
        Answer(arguments, terminal, opened.Model);
        return opened;
    }

    private OpenedModel Open(ParseResult arguments, ModelFile file, BackendChoice choice, Terminal terminal, IActivationObserver? observer)
    {
        Model? model = null;
        bool worked = !terminal.Interrupt.IsResting;
        try
        {
            Model Load() => Model.OpenOnChoice(file.Path, choice.Make, Options(arguments, file, terminal, observer), terminal.Interrupt.Begin());
            try
            {
                model = Load();
            }
            catch (Exception e)
            {
                if (!choice.TryCpu(e)) throw;   // once what was loaded has been given back
                model = Load();
            }
            if (!worked) terminal.Interrupt.Rest();
            if (choice.Note is { } note) terminal.Note(note);
            return new OpenedModel(model, choice);
        }
        catch
        {
            model?.Dispose();
            choice.Dispose();
            throw;
        }
    }

    private ModelOptions Options(ParseResult arguments, ModelFile file, Terminal terminal, IActivationObserver? observer) => new()
    {
        Offset = file.Offset,
        Length = file.Length,
        Observer = observer,
        Overrides = Overrides(arguments),
        StateBudget = arguments.GetValue(_stateBudget),
        Checkpoints = keepsStates ? Kept(arguments, terminal) : null,
        Progress = new LoadNotes(terminal),
    };

    private CheckpointOptions? Kept(ParseResult arguments, Terminal terminal)
    {
        string? folder = arguments.GetValue(_cacheFolder);
        if (folder is "") throw new UsageException("--cache-dir is empty; give a folder, or leave it out.");
        if (arguments.GetValue(_cache) != "off") return new CheckpointOptions { Folder = folder, Note = terminal.Note };
        return folder is null ? null : throw new UsageException("--cache off keeps no states, and --cache-dir says where; give one of the two.");
    }

    private void Answer(ParseResult arguments, Terminal terminal, Model model)
    {
        TextTokens.NoteDoubts(model.Metadata, terminal);
        if (arguments.GetResult(_context) is not null)
            terminal.Note($"-c is not needed: the state of this model takes {Show.Bytes(model.StateBytes)} however long the text gets, so there is no context size to set.");
    }
}
