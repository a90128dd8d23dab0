namespace MambaRT.Tests;

/// <summary>Shows which ops a device does together.</summary>
internal static class FoundGroups
{
    /// <summary>The ops of the first layer by name, those of a group joined by +.</summary>
    public static string OfTheFirstLayer(Plan plan, StepGroups groups)
    {
        const string Layer = "blk.0.";
        string found = "";
        for (int i = 1, count; i < plan.Ops.Length && plan.Ops[i].Name.StartsWith(Layer, StringComparison.Ordinal); i += count)
        {
            count = groups[i]?.Count ?? 1;
            found += " " + string.Join('+', plan.Ops.Slice(i, count).ToArray().Select(o => o.Name[Layer.Length..]));
        }
        return found.TrimStart();
    }
}
