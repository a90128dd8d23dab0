using System.CommandLine;
using System.Globalization;
using MambaRT.Formats;

namespace MambaRT.Cli;

/// <summary>Shows what a model file holds: metadata, tensors, storage types, the size of a state, and the plan.</summary>
internal sealed class InfoCommand : Verb
{
    private readonly ModelArguments _model = new();
    private readonly Option<bool> _check = OptionOf.Flag("--check", "Reads every weight and lists the tensors that hold NaN or infinity; exit code 1 if there are any.");
    private readonly Option<bool> _plan = OptionOf.Flag("--plan", "Also the operations that a token goes through.");

    private readonly TraceArguments _trace = new();

    public InfoCommand(Terminal terminal, Option<bool> json) : base("info", "Shows what a model file holds.", terminal, json)
    {
        _model.AddTo(this);
        Options.Add(_plan);
        Options.Add(_check);
        _trace.AddTo(this);
    }

    public override string[] Examples =>
    [
        "mambart info", "mambart info -m model.gguf --plan", "mambart info -m model.gguf --check", "mambart info -m model.gguf --json",
        "mambart info --trace -p \"Once upon a time\"", "mambart info --trace --tokens 5,17,42 --backend cpu --against reference",
    ];

    protected override int Run(ParseResult arguments)
    {
        bool traces = _trace.IsGiven(arguments);
        using GgufFile file = _model.OpenFile(arguments);
        Plan? plan = Record(arguments, out long budget, out string? refusal);
        if (plan is null && (traces || arguments.GetValue(_plan))) throw new NotSupportedException(refusal);
        if (refusal is not null) Terminal.Note($"This model cannot be run: {refusal}");
        Plan? shown = arguments.GetValue(_plan) ? plan : null;
        IReadOnlyList<NonFiniteTensor>? damaged = arguments.GetValue(_check) ? NonFiniteTensor.In(file) : null;
        FinishedTrace? trace = traces ? _trace.Run(arguments, _model, Terminal) : null;
        if (Json(arguments)) InfoJson.Write(Terminal.Out, file, plan, budget, shown, damaged, trace);
        else
        {
            Write(file, plan, budget, shown);
            if (damaged is not null) WriteCheck(file, damaged);
            if (trace is not null) TraceListing.Write(Terminal, trace);
        }
        return damaged is { Count: > 0 } || trace is { IsGood: false } ? Program.BadInput : Program.Ok;
    }

    /// <summary>Opens the model, by which what a run would refuse is found; a file that cannot be run can still be looked at.</summary>
    private Plan? Record(ParseResult arguments, out long budget, out string? refusal)
    {
        budget = 0;
        try
        {
            using OpenedModel opened = _model.OpenToLook(arguments, Terminal);
            refusal = null;
            budget = opened.Model.StateBudget;
            return opened.Model.Plan;
        }
        catch (Exception e) when (e is FormatException or NotSupportedException)
        {
            refusal = e.Message;
            return null;
        }
    }

    private void Write(GgufFile file, Plan? plan, long budget, Plan? shown)
    {
        Summarize(file, plan, budget);
        Listing.Write(Terminal, "Metadata", ["key", "type", "value"], [.. file.Metadata.Entries.Select(entry =>
            new[] { entry.Key, TypeName(entry.Value), Value(entry.Value) })]);
        Listing.Write(Terminal, "Tensors", ["name", "type", "shape", "bytes"], [.. file.Tensors.Select(tensor =>
            new[] { tensor.Name, tensor.Type.Name, string.Join(" x ", tensor.Dimensions), Show.Count(tensor.Bytes) })]);
        Listing.Write(Terminal, "Storage types", ["type", "tensors", "values", "bytes", "share"], [.. QuantMix.Of(file).Select(part =>
            new[] { part.Type, Show.Count(part.Tensors), Show.Count(part.Values), Show.Count(part.Bytes), Show.Fixed(100.0 * part.Bytes / Math.Max(1, file.Tensors.Sum(t => t.Bytes)), 1) + " %" })]);
        if (shown is not null) Listing.Write(Terminal, "Plan", ["operation", "kind", "columns", "weights"], PlanRows(shown));
    }

    private void WriteCheck(GgufFile file, IReadOnlyList<NonFiniteTensor> damaged)
    {
        Listing.Write(Terminal, "Not finite", ["name", "rows", "first row"], [.. damaged.Select(tensor =>
            new[] { Show.Text(tensor.Name), Show.Count(tensor.Rows), Show.Count(tensor.FirstRow) })]);
        if (damaged.Count == 0) Terminal.Out.WriteLine($"check       every value of the {file.Tensors.Count} tensors is finite");
        else Terminal.Note($"{damaged.Count} of {file.Tensors.Count} tensors hold NaN or infinity, so this model cannot be run; download or convert it again.");
    }

    private void Summarize(GgufFile file, Plan? plan, long budget)
    {
        TextWriter output = Terminal.Out;
        List<QuantMix> mix = QuantMix.Of(file);
        output.WriteLine($"file        {Show.Text(file.Path)} ({Show.Bytes(file.FileBytes)})");
        if (file.Metadata.TryGetString("general.name") is { } name) output.WriteLine($"name        {Show.Text(name, 200)}");
        output.WriteLine($"parameters  {Show.Count(mix.Sum(part => part.Values))} in {file.Tensors.Count} tensors, {Show.Fixed(QuantMix.BitsPerWeight(mix), 2)} bits each");
        if (plan is null) return;
        output.WriteLine($"network     {plan.Architecture}, {plan.Ops.Length} operations, vocabulary {Show.Count(plan.VocabularySize)}");
        output.WriteLine($"state       {Show.Bytes(plan.States.Bytes(0))} a conversation, whatever its length; all of them may take {Show.Bytes(budget)} together (--state-budget)");
    }

    private static List<string[]> PlanRows(Plan plan)
    {
        var rows = new List<string[]>();
        foreach (Op op in plan.Ops)
            rows.Add([op.Name, op.Kind.ToString(), op.Output.Width.ToString(CultureInfo.InvariantCulture), string.Join(' ', WeightNames(plan, op))]);
        return rows;
    }

    /// <summary>The weights that an operation reads.</summary>
    internal static IEnumerable<string> WeightNames(Plan plan, Op op) => op.Weights.Select(weight => plan.Weights[weight.Index].Name);

    private static string TypeName(GgufValue value) =>
        value.Type == GgufValueType.Array ? $"{value.ElementType}[{value.Count}]" : value.Type.ToString();

    private static string Value(GgufValue value)
    {
        if (value.Value is not Array array) return Show.Text(Convert.ToString(value.Value, CultureInfo.InvariantCulture) ?? "", 80);
        IEnumerable<string> first = array.Cast<object>().Take(4).Select(item => item is GgufValue ? "[...]" : Show.Text(Convert.ToString(item, CultureInfo.InvariantCulture) ?? "", 20));
        return $"[{string.Join(", ", first)}{(array.Length > 4 ? ", ..." : "")}]";
    }
}
