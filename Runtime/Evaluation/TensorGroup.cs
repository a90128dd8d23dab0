namespace MambaRT.Evaluation;

/// <summary>Weights that are changed together to see what that costs: one matrix, or those of one name in all layers.</summary>
/// <param name="Name">A tensor's name, or one with * for the layer.</param>
/// <param name="Tensors">Their names.</param>
public sealed record TensorGroup(string Name, IReadOnlyList<string> Tensors)
{
    /// <summary>Every projection and the embedding of a network alone, in the order they are used, and then those that several layers have.</summary>
    public static IReadOnlyList<TensorGroup> Of(Plan plan)
    {
        var groups = new List<TensorGroup>();
        foreach (WeightSpec weight in plan.Weights)
            if (!weight.IsDecoded && !groups.Exists(g => g.Name == weight.Name)) groups.Add(new TensorGroup(weight.Name, [weight.Name]));
        IEnumerable<TensorGroup> alike = groups.GroupBy(g => TensorRule.General(g.Name)).Where(a => a.Count() > 1)
            .Select(a => new TensorGroup(a.Key.Replace(TensorRule.Layer, "*"), [.. a.Select(g => g.Name)]));
        return [.. groups, .. alike];
    }
}
