using System.CommandLine;

namespace MambaRT.Cli;

/// <summary>A trace that was asked for: what came of it, and what ended it early.</summary>
/// <param name="Trace">What was found of each op.</param>
/// <param name="Tokens">The tokens that were fed.</param>
/// <param name="Backend">Where the model ran.</param>
/// <param name="Against">Where the run ran that it was compared with, or null.</param>
/// <param name="Failure">The run's failure, or null.</param>
internal sealed record FinishedTrace(ModelTrace Trace, int[] Tokens, string Backend, string? Against, Exception? Failure)
{
    /// <summary>Whether all went as it should.</summary>
    public bool IsGood => Failure is null && Trace.FirstParting is null;
}

/// <summary>The options of a trace: --trace, the text or --tokens, --against.</summary>
internal sealed class TraceArguments
{
    private readonly PromptArguments _prompt = new();
    private readonly Option<bool> _trace = OptionOf.Flag("--trace", "Also what every operation yields for a text: norm, least and largest value.");
    private readonly Option<int[]?> _tokens = OptionOf.TokenIds("Token ids for --trace instead of a text.");
    private readonly Option<string?> _against = ModelArguments.BackendOption("--against", "Traces on this backend too, and marks the first operation where the two part; exit code 1 if there is one.");

    public void AddTo(Command command)
    {
        command.Options.Add(_trace);
        _prompt.AddTo(command);
        command.Options.Add(_tokens);
        command.Options.Add(_against);
    }

    /// <summary>Whether there is to be a trace.</summary>
    /// <exception cref="UsageException">What belongs to one is given without it, or two texts are.</exception>
    public bool IsGiven(ParseResult arguments)
    {
        bool trace = arguments.GetValue(_trace), tokens = arguments.GetResult(_tokens) is not null;
        if (!trace && (tokens || _prompt.IsGiven(arguments) || arguments.GetResult(_against) is not null))
            throw new UsageException("A text, --tokens and --against are for a trace; give --trace too.");
        if (tokens && _prompt.IsGiven(arguments)) throw new UsageException("--tokens and a text are both given; keep one of them.");
        return trace;
    }

    /// <summary>Follows the text through the model; a run that fails is told with what came before.</summary>
    public FinishedTrace Run(ParseResult arguments, ModelArguments place, Terminal terminal)
    {
        int[]? tokens = OptionOf.Given(arguments, _tokens);
        string? text = tokens is null ? _prompt.Read(arguments, terminal) : null;
        string? against = arguments.GetValue(_against);
        CancellationToken cancel = terminal.Interrupt.Begin();
        using OpenedModel opened = place.OpenForTrace(arguments, terminal, against);
        using OpenedModel? basis = against is null ? null : place.OpenOn(arguments, against, terminal);
        if (tokens is null)
        {
            TextTokens.RequireVocabulary(opened.Model);
            tokens = TextTokens.Encode(opened.Model.Tokenizer, text!);   // one of them is there
        }
        var trace = new ModelTrace(opened.Model, basis?.Model);
        Exception? failure = null;
        try
        {
            trace.Run(tokens, cancel);
        }
        catch (Exception e) when (e is FormatException or InvalidOperationException)
        {
            failure = e;
        }
        return new FinishedTrace(trace, tokens, opened.Backend.Name, basis?.Backend.Name, failure);
    }
}
