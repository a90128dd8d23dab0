using System.Buffers.Binary;
using System.Text;

namespace MambaRT.Formats;

/// <summary>Reads the pickle of a PyTorch checkpoint: dictionaries, numbers, texts and tensors, and nothing else.</summary>
/// <remarks>
/// A stack machine over the opcodes that torch.save writes (protocols 2 to 5); any other opcode and any name outside
/// <see cref="PickleGlobal"/> is refused, so reading runs nothing. Every opcode makes at most one object of a size bounded by the
/// bytes it takes, nothing is copied by reference and nothing is visited recursively: time and memory are linear in the pickle.
/// Values are: null, bool, long, double, string, object[] (tuple), List (list), <see cref="PickleDictionary"/>, and those of torch.
/// Source: CPython, Lib/pickletools.py.
/// </remarks>
internal ref struct PickleReader
{
    private static readonly object Mark = new();

    private readonly string _subject;
    private readonly ReadOnlySpan<byte> _pickle;
    private readonly List<object?> _stack = [];
    private readonly Dictionary<uint, object?> _memo = [];
    private int _at;

    private PickleReader(string subject, ReadOnlySpan<byte> pickle)
    {
        _subject = subject;
        _pickle = pickle;
    }

    /// <summary>Reads one object.</summary>
    /// <param name="subject">The file's path, for messages.</param>
    /// <param name="pickle">The pickle.</param>
    /// <exception cref="FormatException">It is damaged, or holds something that is no part of a checkpoint of tensors.</exception>
    public static object? Read(string subject, ReadOnlySpan<byte> pickle)
    {
        var reader = new PickleReader(subject, pickle);
        while (reader.Step())
        {
        }
        return reader._stack.Count == 1 ? reader._stack[0] : throw reader.Bad($"the pickle leaves {reader._stack.Count} objects; 1 is needed");
    }

    /// <summary>Executes an opcode; false after the last.</summary>
    private bool Step()
    {
        byte opcode = Byte();
        switch ((char)opcode)
        {
            case '\x80': if (Byte() is < 2 or > 5) throw Bad("the pickle has a protocol other than 2 to 5"); break;
            case '\x95': Take(8); break;                                    // FRAME
            case '.': return false;                                         // STOP
            case '(': _stack.Add(Mark); break;
            case 'N': _stack.Add(null); break;
            case '\x88': _stack.Add(true); break;
            case '\x89': _stack.Add(false); break;
            case 'K': _stack.Add((long)Byte()); break;
            case 'M': _stack.Add((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2))); break;
            case 'J': _stack.Add((long)BinaryPrimitives.ReadInt32LittleEndian(Take(4))); break;
            case '\x8a': _stack.Add(LongInteger()); break;
            case 'G': _stack.Add(BinaryPrimitives.ReadDoubleBigEndian(Take(8))); break;
            case 'X': _stack.Add(Text(BinaryPrimitives.ReadUInt32LittleEndian(Take(4)))); break;
            case '\x8c': _stack.Add(Text(Byte())); break;
            case ')': _stack.Add(Array.Empty<object?>()); break;
            case 't': _stack.Add(PopToMark()); break;
            case '\x85': _stack.Add(PopTuple(1)); break;
            case '\x86': _stack.Add(PopTuple(2)); break;
            case '\x87': _stack.Add(PopTuple(3)); break;
            case ']': _stack.Add(new List<object?>()); break;
            case 'a': Append([Pop()]); break;
            case 'e': Append(PopToMark()); break;
            case '}': _stack.Add(new PickleDictionary()); break;
            case 's': SetItems(PopTuple(2)); break;
            case 'u': SetItems(PopToMark()); break;
            case 'q': _memo[Byte()] = Top(); break;
            case 'r': _memo[BinaryPrimitives.ReadUInt32LittleEndian(Take(4))] = Top(); break;
            case '\x94': _memo[(uint)_memo.Count] = Top(); break;
            case 'h': _stack.Add(Recall(Byte())); break;
            case 'j': _stack.Add(Recall(BinaryPrimitives.ReadUInt32LittleEndian(Take(4)))); break;
            case 'c': _stack.Add(Global(Line(), Line())); break;
            case '\x93': StackGlobal(); break;
            case 'Q': _stack.Add(TorchObjects.Storage(Pop()) ?? throw Bad("a storage is named in a way that PyTorch does not")); break;
            case 'R': Reduce(); break;
            case 'b': Build(); break;
            default: throw Bad($"the pickle has the opcode 0x{opcode:x2} at its byte {_at - 1}, which no checkpoint of tensors needs");
        }
        return true;
    }

    private void StackGlobal()
    {
        object? name = Pop(), module = Pop();
        _stack.Add(Global(module as string ?? "?", name as string ?? "?"));
    }

    private readonly PickleGlobal Global(string module, string name)
    {
        var global = new PickleGlobal($"{module} {name}");
        return global.IsAllowed ? global
            : throw Bad($"the pickle asks for '{Printable.Text($"{module}.{name}")}', which is neither a tensor nor a dictionary and could run code");
    }

    private void Reduce()
    {
        object? arguments = Pop(), callable = Pop();
        if (callable is not PickleGlobal global || arguments is not object?[] values) throw Bad("the pickle calls something that is no function");
        _stack.Add(TorchObjects.Call(global, values) ?? throw Bad($"the pickle calls '{global.Name}' with other arguments than PyTorch does"));
    }

    /// <summary>The attributes of a state dictionary (versions of its modules) mean nothing here.</summary>
    private void Build()
    {
        Pop();
        if (Top() is not PickleDictionary) throw Bad("the pickle sets attributes of something that is no dictionary");
    }

    private void SetItems(object?[] items)
    {
        if (Top() is not PickleDictionary dictionary || items.Length % 2 != 0) throw Bad("the pickle adds pairs to something that is no dictionary");
        for (int i = 0; i < items.Length; i += 2) dictionary.Pairs.Add((items[i], items[i + 1]));
    }

    private void Append(object?[] items)
    {
        if (Top() is not List<object?> list) throw Bad("the pickle adds items to something that is no list");
        list.AddRange(items);
    }

    private object?[] PopTuple(int count)
    {
        var values = new object?[count];
        for (int i = count - 1; i >= 0; i--) values[i] = Pop();
        return values;
    }

    private object?[] PopToMark()
    {
        int mark = _stack.LastIndexOf(Mark);
        if (mark < 0) throw Bad("the pickle ends a group that it did not begin");
        object?[] values = [.. _stack[(mark + 1)..]];
        _stack.RemoveRange(mark, _stack.Count - mark);
        return values;
    }

    private object? Pop()
    {
        object? top = Top();
        _stack.RemoveAt(_stack.Count - 1);
        return top;
    }

    private readonly object? Top() => _stack.Count > 0 && _stack[^1] != Mark ? _stack[^1] : throw Bad("the pickle takes an object that it did not make");

    private readonly object? Recall(uint index) => _memo.TryGetValue(index, out object? value) ? value : throw Bad($"the pickle recalls object {index}, which it did not keep");

    private long LongInteger()
    {
        int length = Byte();
        if (length > 8) throw Bad($"the pickle has an integer of {length} bytes; at most 8 are read");
        ReadOnlySpan<byte> bytes = Take(length);
        long value = length > 0 && (bytes[^1] & 0x80) != 0 ? -1 : 0;
        for (int i = length - 1; i >= 0; i--) value = value << 8 | bytes[i];
        return value;
    }

    private string Text(uint length) => Encoding.UTF8.GetString(Take(length));

    private string Line()
    {
        int length = _pickle[_at..].IndexOf((byte)'\n');
        if (length < 0) throw Bad("the pickle ends within a name");
        string line = Text((uint)length);
        _at++;
        return line;
    }

    private byte Byte() => Take(1)[0];

    private ReadOnlySpan<byte> Take(long count)
    {
        if (count > _pickle.Length - _at) throw Bad($"the pickle ends at its byte {_pickle.Length}, where {count} more were to come");
        ReadOnlySpan<byte> bytes = _pickle.Slice(_at, (int)count);
        _at += (int)count;
        return bytes;
    }

    private readonly FormatException Bad(string what) =>
        new($"{_subject}: {what}; MambaRT reads checkpoints of tensors only. Get the model as safetensors, or from a source that you trust.");
}
