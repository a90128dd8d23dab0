namespace MambaRT.Cli;

/// <summary>A conversation at the command line: what is said, answers, and commands that begin with a slash.</summary>
internal sealed class ChatLoop : IDisposable
{
    private readonly Terminal _terminal;
    private readonly ChatInput _input;
    private readonly ChatOutput _output;
    private readonly Model _model;
    private readonly List<ChatSession> _branches;
    private readonly uint _seed;
    private readonly SessionFile? _file;
    private readonly bool _withCommands;
    private int _branch;

    /// <summary>Takes the conversation over.</summary>
    /// <param name="terminal">Where it takes place.</param>
    /// <param name="model">The model that it is held with.</param>
    /// <param name="chat">The conversation.</param>
    /// <param name="seed">The sampler's seed, for the report.</param>
    /// <param name="file">Where every turn is saved, or null.</param>
    /// <param name="json">Whether each line is answered by a line of JSON.</param>
    /// <param name="withCommands">Whether lines with a slash are commands also where a program says them: in a pipe, or with JSON.</param>
    public ChatLoop(Terminal terminal, Model model, ChatSession chat, uint seed, SessionFile? file, bool json, bool withCommands)
    {
        _terminal = terminal;
        _model = model;
        _input = new ChatInput(terminal);
        _output = new ChatOutput(terminal, seed, json);
        _branches = [chat];
        _seed = seed;
        _file = file;
        _withCommands = withCommands || (_input.IsInteractive && !json);
    }

    private ChatSession Chat => _branches[_branch];

    /// <summary>Talks until /quit or the end of the input.</summary>
    /// <param name="greeting">Said first, to a person.</param>
    /// <param name="resume">Whether to go on with the file's conversation, if it is there.</param>
    /// <returns>The exit code: 1 where a program was talking and any of its lines could not be done.</returns>
    public int Run(string greeting, bool resume)
    {
        if (_input.IsInteractive) _terminal.Note(greeting);
        if (resume && _file is not null && File.Exists(_file.Path)) _terminal.Note(Load(_file.Path));
        bool goesOn = true;
        while (goesOn)
        {
            if (_input.IsInteractive) _terminal.Interrupt.Forgive();   // Ctrl-C ended an answer and no more
            _terminal.Interrupt.Rest();
            if (_input.Read() is not { } line)
            {
                if (!_input.IsInteractive) _terminal.Interrupt.Settle();
                break;
            }
            CancellationToken cancel = _terminal.Interrupt.Begin();
            try
            {
                goesOn = Take(line, cancel);
            }
            catch (Exception e) when (e is not OutputClosedException
                && e is IOException or FormatException or ArgumentException or InvalidOperationException or NotSupportedException or UnauthorizedAccessException)
            {
                _output.Fail(e);
            }
            _output.End();
        }
        return _output.HasFailed && !_input.IsInteractive ? Program.BadInput : Program.Ok;
    }

    public void Dispose()
    {
        foreach (ChatSession branch in _branches) branch.Dispose();
    }

    /// <summary>Does what a line asks for; false at /quit.</summary>
    private bool Take(string line, CancellationToken cancel)
    {
        if (_withCommands && line.StartsWith('/'))
        {
            if (!line.StartsWith("//", StringComparison.Ordinal)) return Obey(line, cancel);
            line = line[1..];
        }
        if (!string.IsNullOrWhiteSpace(line)) Answer(Chat.Say(line, cancel));
        return true;
    }

    /// <summary>Carries out a command; false at /quit.</summary>
    private bool Obey(string line, CancellationToken cancel)
    {
        string[] words = line.Split(' ', 2, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        string argument = words.Length > 1 ? words[1] : "";
        switch (words[0])
        {
            case "/help" or "/?": _output.Note(Help); break;
            case "/reset": Chat.Reset(); Keep("The conversation begins anew."); break;
            case "/undo": Keep(Chat.Undo() ? $"Took the last turn back; {Turns()} left." : "There is no turn to take back."); break;
            case "/retry": Answer(Chat.Retry(cancel)); break;
            case "/edit": Edit(argument, cancel); break;
            case "/save": Save(Named(argument, "/save")); break;
            case "/load": Keep(Load(Named(argument, "/load"))); break;
            case "/fork": Fork(argument); break;
            case "/stats": _output.Note($"{Turns()} in branch {_branch + 1} of {_branches.Count}. {States()} Last answer: {Report.Line(Chat.Stats, _seed)}"); break;
            case "/quit" or "/exit": return false;
            default: throw new UsageInChat($"There is no command '{Show.Text(words[0], 40)}'; /help lists those there are, and //text says \"/text\".");
        }
        return true;
    }

    private const string Help = """
        /reset          begin anew
        /undo           take the last turn back
        /retry          answer the last turn again
        /edit N TEXT    say TEXT in the place of turn N, and forget all after it
        /save FILE      save the conversation
        /load FILE      go on with a saved conversation
        /fork           go on in a copy; /fork N changes to branch N
        /stats          speed and memory of the last answer
        /quit           leave (or Ctrl-D)
        //text          say "/text"
        Ctrl-C stops an answer; Alt-Enter begins another line; up and down recall what was said.
        """;

    private void Answer(IAsyncEnumerable<string> pieces)
    {
        Answers.Read(pieces, _output.Add);
        _output.Answered(Chat.Stats);
        _file?.Save(Chat);
    }

    /// <summary>What the budget counts: the slot beyond, that nobody's state is in, is left out.</summary>
    private string States() =>
        $"States of {Show.Bytes(_model.StateBytes)} each, for branches and kept turns, take {Show.Bytes(_model.Memory.States - _model.StateBytes)} of {Show.Bytes(_model.StateBudget)}.";

    private void Fork(string argument)
    {
        if (argument.Length == 0)
        {
            _branches.Add(Chat.Fork());
            _branch = _branches.Count - 1;
        }
        else if (int.TryParse(argument, out int branch) && branch >= 1 && branch <= _branches.Count) _branch = branch - 1;
        else throw new UsageInChat($"There are branches 1 to {_branches.Count}; /fork alone makes another.");
        Keep($"This is branch {_branch + 1} of {_branches.Count}, with {Turns()}; /fork N changes to another.");
    }

    private void Edit(string argument, CancellationToken cancel)
    {
        string[] words = argument.Split(' ', 2, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        int turns = Chat.Messages.Count(message => message.Role == "user");
        if (words.Length < 2 || !int.TryParse(words[0], out int turn) || turn < 1 || turn > turns)
            throw new UsageInChat(turns == 0 ? "There is no turn to edit; say something first." : $"/edit needs the number of a turn, 1 to {turns}, and what to say there.");
        Answer(Chat.Edit(turn - 1, words[1], cancel));
    }

    private void Save(string file)
    {
        if (_file?.Is(file) == true) _file.Save(Chat);
        else
        {
            using SessionFile taken = SessionFile.Take(file);
            taken.Save(Chat);
        }
        _output.Note($"Saved {Turns()} to {file}.");
    }

    /// <summary>Goes on with a saved conversation, and says so.</summary>
    private string Load(string file)
    {
        string? given = System();
        string doubt = Chat.Load(file) ? ""
            : " It was saved by an earlier version, which did not note the weights; if it was saved with other weights of this model, it goes on wrongly.";
        string note = $"Going on with {Turns()} from {file}.{doubt}";
        return given is null || given == System() ? note
            : $"{note} Its system text is kept, which is not the one given; --new-session begins anew with that.";
    }

    /// <summary>What the model is told before the conversation; null for nothing.</summary>
    private string? System() => Chat.Messages is [{ Role: "system" } first, ..] ? first.Content : null;

    /// <summary>Notes a change, and saves it where every turn is saved.</summary>
    private void Keep(string note)
    {
        _output.Note(note);
        _file?.Save(Chat);
    }

    private string Turns()
    {
        int turns = Chat.Messages.Count(message => message.Role == "user");
        return turns == 1 ? "1 turn" : $"{Show.Count(turns)} turns";
    }

    private static string Named(string argument, string command) =>
        argument.Length > 0 ? argument : throw new UsageInChat($"{command} needs the name of a file.");

    /// <summary>A command that cannot be carried out as it was typed.</summary>
    private sealed class UsageInChat(string message) : ArgumentException(message);
}
