namespace MambaRT.Cli;

/// <summary>What the user says: lines with editing and history at a terminal that can show it, plain lines elsewhere.</summary>
internal sealed class ChatInput
{
    private const string Prompt = "> ";

    private readonly Terminal _terminal;
    private readonly LineEditor? _editor;

    public ChatInput(Terminal terminal)
    {
        _terminal = terminal;
        if (terminal.InIsTerminal && terminal.ErrorIsTerminal && terminal.Styled)
            _editor = new LineEditor(new ConsoleKeys(), terminal.RawError, terminal.Columns);
    }

    /// <summary>Whether somebody sits at the keys.</summary>
    public bool IsInteractive => _terminal.InIsTerminal;

    /// <summary>The next line; null at the end.</summary>
    public string? Read()
    {
        if (_editor is null)
        {
            if (_terminal.InIsTerminal && _terminal.ErrorIsTerminal) _terminal.Error.Write(Prompt);
            return _terminal.In.ReadLine();
        }
        Console.TreatControlCAsInput = true;   // while typing, Ctrl-C only empties the line
        try
        {
            return _editor.ReadLine(Prompt);
        }
        finally
        {
            Console.TreatControlCAsInput = false;
        }
    }
}
