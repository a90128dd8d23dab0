namespace MambaRT.Cli;

/// <summary>What the user says: lines with editing and history at a terminal, plain lines from a pipe.</summary>
internal sealed class ChatInput
{
    private readonly Terminal _terminal;
    private readonly LineEditor? _editor;

    public ChatInput(Terminal terminal)
    {
        _terminal = terminal;
        if (terminal.InIsTerminal && terminal.ErrorIsTerminal) _editor = new LineEditor(new ConsoleKeys(), terminal.Error, ConsoleKeys.Columns);
    }

    /// <summary>Whether somebody sits at the keys.</summary>
    public bool IsInteractive => _editor is not null;

    /// <summary>The next line; null at the end.</summary>
    public string? Read()
    {
        if (_editor is null) return _terminal.In.ReadLine();
        Console.TreatControlCAsInput = true;   // while typing, Ctrl-C only empties the line
        try
        {
            return _editor.ReadLine("> ");
        }
        finally
        {
            Console.TreatControlCAsInput = false;
        }
    }
}
