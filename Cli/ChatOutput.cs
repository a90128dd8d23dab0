using System.Text;

namespace MambaRT.Cli;

/// <summary>What a chat answers to a line: text as it comes with notes beside, or one line of JSON for each line that came in.</summary>
internal sealed class ChatOutput
{
    private readonly Terminal _terminal;
    private readonly uint _seed;
    private readonly WordWrap? _wrap;
    private readonly bool _json;
    private readonly StringBuilder _text = new();
    private readonly List<string> _notes = [];
    private GenerationStats? _stats;
    private string? _error;

    /// <param name="terminal">Where the chat takes place.</param>
    /// <param name="seed">The sampler's seed, for the report.</param>
    /// <param name="json">Whether each line is answered by a line of JSON.</param>
    public ChatOutput(Terminal terminal, uint seed, bool json)
    {
        _terminal = terminal;
        _seed = seed;
        _json = json;
        if (terminal.OutIsTerminal && !json) _wrap = new WordWrap(terminal.Columns);
    }

    /// <summary>Whether any line could not be done.</summary>
    public bool HasFailed { get; private set; }

    /// <summary>A piece of an answer.</summary>
    public void Add(string piece)
    {
        _text.Append(piece);
        if (!_json) _terminal.Stream(_wrap is null ? piece : _wrap.Add(piece));
    }

    /// <summary>The answer is given.</summary>
    public void Answered(GenerationStats stats) => _stats = stats;

    /// <summary>Something to know.</summary>
    public void Note(string note)
    {
        if (_json) _notes.Add(note);
        else foreach (string line in note.Split('\n')) _terminal.Note(line);
    }

    /// <summary>The line, or a part of what it asked for, could not be done.</summary>
    public void Fail(Exception e)
    {
        HasFailed = true;
        _error = Failure.Sentence(e);
    }

    /// <summary>All is said that there is to a line.</summary>
    public void End()
    {
        if (_json) WriteJson();
        else
        {
            if (_stats is not null || _text.Length > 0) _terminal.Stream(_wrap?.End() + "\n");
            if (_error is not null) _terminal.Note(_error);
        }
        _text.Clear();
        _notes.Clear();
        _stats = null;
        _error = null;
    }

    private void WriteJson()
    {
        var json = new JsonOutput(_terminal.Out);
        json.Writer.WriteStartObject();
        if (_stats is not null || _text.Length > 0) json.Writer.WriteString("text", _text.ToString());
        if (_stats is { } stats) Report.Write(json, stats, _seed);
        if (_stats is null && _text.Length == 0 && _error is null && _notes.Count == 0) _notes.Add("Nothing was said.");
        if (_notes.Count > 0) json.Writer.WriteString("note", string.Join('\n', _notes));
        if (_error is not null) json.Writer.WriteString("error", _error);
        json.Writer.WriteEndObject();
        json.End();
    }
}
