namespace MambaRT.Runtime;

/// <summary>Weights that are changed together to see what that costs: one matrix, or those of one role in all layers.</summary>
/// <param name="Name">A tensor's name, or one with * for the layer.</param>
/// <param name="Tensors">Their names.</param>
public sealed record TensorGroup(string Name, IReadOnlyList<string> Tensors)
{
    /// <summary>Every projection and the embedding of a network alone, in the order they are used, and then each role that several layers have.</summary>
    public static IReadOnlyList<TensorGroup> Of(Plan plan)
    {
        var groups = new List<TensorGroup>();
        foreach (WeightSpec weight in plan.Weights)
            if (weight.Role is WeightRole.Projection or WeightRole.Embedding) groups.Add(new TensorGroup(weight.Name, [weight.Name]));
        IEnumerable<TensorGroup> roles = groups.GroupBy(g => Role(g.Name)).Where(r => r.Count() > 1).Select(r => new TensorGroup(r.Key, [.. r.Select(g => g.Name)]));
        return [.. groups, .. roles];
    }

    /// <summary>The name with its numbers replaced: blk.*.ssm_in.weight.</summary>
    private static string Role(string name) =>
        string.Join('.', name.Split('.').Select(part => part.Length > 0 && part.All(char.IsAsciiDigit) ? "*" : part));
}
