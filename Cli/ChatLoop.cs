using System.Text;
using MambaRT.Runtime;

namespace MambaRT.Cli;

/// <summary>A conversation at the command line: what is said, answers, and commands that begin with a slash.</summary>
internal sealed class ChatLoop : IDisposable
{
    private readonly Terminal _terminal;
    private readonly ChatInput _input;
    private readonly List<ChatSession> _branches;
    private readonly uint _seed;
    private readonly SessionFile? _file;
    private readonly bool _json;
    private int _branch;

    /// <summary>Takes the conversation over.</summary>
    /// <param name="terminal">Where it takes place.</param>
    /// <param name="chat">The conversation.</param>
    /// <param name="seed">The sampler's seed, for the report.</param>
    /// <param name="file">Where every turn is saved, or null.</param>
    /// <param name="json">Whether each answer is a line of JSON.</param>
    public ChatLoop(Terminal terminal, ChatSession chat, uint seed, SessionFile? file, bool json)
    {
        _terminal = terminal;
        _input = new ChatInput(terminal);
        _branches = [chat];
        _seed = seed;
        _file = file;
        _json = json;
    }

    private ChatSession Chat => _branches[_branch];

    /// <summary>Talks until /quit or the end of the input.</summary>
    public void Run(string greeting)
    {
        if (_input.IsInteractive) _terminal.Note(greeting);
        if (_file is not null && File.Exists(_file.Path)) Resume(_file.Path);
        while (true)
        {
            if (_input.IsInteractive) _terminal.Interrupt.Forgive();   // Ctrl-C ended an answer and no more
            _terminal.Interrupt.Rest();
            if (_input.Read() is not { } line) return;
            if (string.IsNullOrWhiteSpace(line)) continue;
            CancellationToken cancel = _terminal.Interrupt.Begin();
            try
            {
                if (!line.StartsWith('/')) Answer(Chat.Say(line, cancel));
                else if (!Obey(line, cancel)) return;
            }
            catch (Exception e) when (e is not OutputClosedException
                && e is IOException or FormatException or ArgumentException or InvalidOperationException or NotSupportedException or UnauthorizedAccessException)
            {
                _terminal.Note(Failure.Sentence(e));
            }
        }
    }

    public void Dispose()
    {
        foreach (ChatSession branch in _branches) branch.Dispose();
    }

    /// <summary>Carries out a command; false at /quit.</summary>
    private bool Obey(string line, CancellationToken cancel)
    {
        string[] words = line.Split(' ', 2, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        string argument = words.Length > 1 ? words[1] : "";
        switch (words[0])
        {
            case "/help" or "/?": Help(); break;
            case "/reset": Chat.Reset(); Keep("The conversation begins anew."); break;
            case "/undo": Keep(Chat.Undo() ? $"Took the last turn back; {Turns()} left." : "There is no turn to take back."); break;
            case "/retry": Answer(Chat.Retry(cancel)); break;
            case "/save": Save(Named(argument, "/save")); break;
            case "/load": Load(Named(argument, "/load")); Keep($"Going on with {Turns()} from {argument}."); break;
            case "/fork": Fork(argument); break;
            case "/stats": _terminal.Note($"{Turns()} in branch {_branch + 1} of {_branches.Count}. Last answer: {Report.Line(Chat.Stats, _seed)}"); break;
            case "/quit" or "/exit": return false;
            default: _terminal.Note($"There is no command '{Show.Text(words[0], 40)}'; /help lists those there are."); break;
        }
        return true;
    }

    private void Help() => _terminal.Note("""
        /reset          begin anew
        /undo           take the last turn back
        /retry          answer the last turn again
        /save FILE      save the conversation
        /load FILE      go on with a saved conversation
        /fork           go on in a copy; /fork N changes to branch N
        /stats          speed and memory of the last answer
        /quit           leave (or Ctrl-D)
        Ctrl-C stops an answer; Alt-Enter begins another line; up and down recall what was said.
        """);

    private void Answer(IAsyncEnumerable<string> pieces)
    {
        var text = new StringBuilder();
        Answers.Read(pieces, piece =>
        {
            if (_json) text.Append(piece);
            else _terminal.Stream(piece);
        });
        if (_json) WriteJson(text.ToString());
        else _terminal.Stream("\n");
        if (_file is not null) Chat.Save(_file.Path);
    }

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

    private void Save(string file)
    {
        using SessionFile? taken = _file?.Is(file) == true ? null : SessionFile.Take(file);
        Chat.Save(file);
        _terminal.Note($"Saved {Turns()} to {file}.");
    }

    private void Load(string file)
    {
        if (!Chat.Load(file)) _terminal.Note($"{file} was saved by an earlier version, which did not note the weights; if it was saved with other weights of this model, the conversation goes on wrongly.");
    }

    private void Resume(string file)
    {
        Load(file);
        _terminal.Note($"Going on with {Turns()} from {file}.");
    }

    /// <summary>Notes a change, and saves it where every turn is saved.</summary>
    private void Keep(string note)
    {
        _terminal.Note(note);
        if (_file is not null) Chat.Save(_file.Path);
    }

    private string Turns()
    {
        int turns = Chat.Messages.Count(message => message.Role == "user");
        return turns == 1 ? "1 turn" : $"{Show.Count(turns)} turns";
    }

    private static string Named(string argument, string command) =>
        argument.Length > 0 ? argument : throw new UsageInChat($"{command} needs the name of a file.");

    private void WriteJson(string text)
    {
        var json = new JsonOutput(_terminal.Out);
        json.Writer.WriteStartObject();
        json.Writer.WriteString("text", text);
        Report.Write(json, Chat.Stats, _seed);
        json.Writer.WriteEndObject();
        json.End();
    }

    /// <summary>A command that cannot be carried out as it was typed.</summary>
    private sealed class UsageInChat(string message) : ArgumentException(message);
}
