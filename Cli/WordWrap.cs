using System.Text;

namespace MambaRT.Cli;

/// <summary>Breaks streamed text into lines between words. A word is shown once it is whole or as long as a line.</summary>
/// <param name="columns">Columns of a line.</param>
internal sealed class WordWrap(Func<int> columns)
{
    private readonly StringBuilder _word = new();
    private readonly StringBuilder _shown = new();
    private int _column;
    private int _spaces;
    private int _cells;
    private bool _isBegun;

    /// <summary>Takes the next piece and gives what can be shown.</summary>
    public string Add(string piece)
    {
        int width = Math.Max(8, columns());
        foreach (Rune rune in piece.EnumerateRunes())
        {
            if (rune.Value == '\n') Break(width);
            else if (rune.Value == ' ') Space(width);
            else Letter(rune, width);
        }
        return Take();
    }

    /// <summary>Gives what is left; the next piece begins a line.</summary>
    public string End()
    {
        PutWord(Math.Max(8, columns()));
        _column = _spaces = 0;
        return Take();
    }

    private void Break(int width)
    {
        PutWord(width);
        _shown.Append('\n');
        _column = _spaces = 0;
    }

    private void Space(int width)
    {
        PutWord(width);
        _spaces++;
    }

    /// <summary>Scripts of wide characters have no blanks: there a line may end after each.</summary>
    private void Letter(Rune rune, int width)
    {
        int cells = LineView.Cells(rune);
        if (cells == 2) PutWord(width);
        else if (_cells + cells > width) PutWord(width, goesOn: true);
        _word.Append(rune.ToString());
        _cells += cells;
        if (cells == 2) PutWord(width);
    }

    /// <summary>Shows the word at hand, or the beginning of one that is longer than a line, which the terminal breaks.</summary>
    private void PutWord(int width, bool goesOn = false)
    {
        if (_word.Length > 0 && !_isBegun) Separate(width);
        _shown.Append(_word);
        _column += _cells;
        while (_column > width) _column -= width;
        _word.Clear();
        _cells = 0;
        _isBegun = goesOn;
    }

    private void Separate(int width)
    {
        if (_column > 0 && _column + _spaces + _cells > width)
        {
            _shown.Append('\n');
            _column = 0;
        }
        else
        {
            _shown.Append(' ', _spaces);
            _column += _spaces;
        }
        _spaces = 0;
    }

    private string Take()
    {
        string shown = _shown.ToString();
        _shown.Clear();
        return shown;
    }
}
