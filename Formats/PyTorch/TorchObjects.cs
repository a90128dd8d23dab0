namespace MambaRT.Formats;

/// <summary>Makes what a checkpoint's pickle describes: storages and views of them. Nothing is read or checked against the archive here.</summary>
/// <remarks>Source: PyTorch, torch/_utils.py (_rebuild_tensor_v2, _rebuild_parameter) and torch/serialization.py (persistent_load).</remarks>
internal static class TorchObjects
{
    /// <summary>The storage that a persistent id names: ("storage", class, key, device, elements); null for anything else.</summary>
    public static PickleStorage? Storage(object? id) =>
        id is object?[] and ["storage", PickleGlobal { ElementType: string type }, string key, string, long count] ? new PickleStorage(type, key, count) : null;

    /// <summary>The result of an allowed function; null when its arguments are not those that PyTorch writes.</summary>
    public static object? Call(PickleGlobal function, object?[] arguments) => (function.Name, arguments) switch
    {
        (PickleGlobal.OrderedDictionary, []) => new PickleDictionary(),
        (PickleGlobal.RebuildParameter, [PickleTensor tensor, bool, PickleDictionary]) => tensor,
        (PickleGlobal.RebuildTensor, [PickleStorage storage, long offset, object?[] shape, object?[] strides, bool, PickleDictionary, ..]) =>
            Numbers(shape) is long[] sizes && Numbers(strides) is long[] steps ? new PickleTensor(storage, offset, sizes, steps) : null,
        _ => null,
    };

    private static long[]? Numbers(object?[] values) => Array.TrueForAll(values, value => value is long) ? Array.ConvertAll(values, value => (long)value!) : null;
}
