namespace MambaRT.Formats;

/// <summary>Types of metadata values, numbered as in the file (enum gguf_type).</summary>
public enum GgufValueType : uint
{
    /// <summary>Unsigned 8 bit.</summary>
    UInt8,
    /// <summary>Signed 8 bit.</summary>
    Int8,
    /// <summary>Unsigned 16 bit.</summary>
    UInt16,
    /// <summary>Signed 16 bit.</summary>
    Int16,
    /// <summary>Unsigned 32 bit.</summary>
    UInt32,
    /// <summary>Signed 32 bit.</summary>
    Int32,
    /// <summary>IEEE float32.</summary>
    Float32,
    /// <summary>One byte, 0 or 1.</summary>
    Bool,
    /// <summary>UTF-8 with a 64-bit length.</summary>
    String,
    /// <summary>Values of one type with a 64-bit count.</summary>
    Array,
    /// <summary>Unsigned 64 bit.</summary>
    UInt64,
    /// <summary>Signed 64 bit.</summary>
    Int64,
    /// <summary>IEEE float64.</summary>
    Float64,
}

/// <summary>One metadata value.</summary>
/// <param name="Type">Its type in the file.</param>
/// <param name="ElementType">Type of the elements when <paramref name="Type"/> is <see cref="GgufValueType.Array"/>, else the type itself.</param>
/// <param name="Value">A boxed primitive, a string, or an array of one primitive type or of strings (nested arrays: an array of <see cref="GgufValue"/>).</param>
public readonly record struct GgufValue(GgufValueType Type, GgufValueType ElementType, object Value)
{
    /// <summary>Number of elements of an array; 1 otherwise.</summary>
    public int Count => Value is Array array ? array.Length : 1;

    /// <summary>Wraps a value that C# knows the type of: a primitive, a string, an array of either, or an array of wrapped arrays.</summary>
    /// <exception cref="ArgumentException">GGUF has no such type.</exception>
    public static GgufValue Of(object value)
    {
        if (value is GgufValue[] nested)
            return nested.All(v => v.Type == GgufValueType.Array) ? new GgufValue(GgufValueType.Array, GgufValueType.Array, nested)
                : throw new ArgumentException("A nested GGUF array holds arrays only.");
        System.Type type = value.GetType();
        bool isArray = value is Array;
        GgufValueType element = TypeOf(isArray ? type.GetElementType()! : type);   // an array type has an element type
        return new GgufValue(isArray ? GgufValueType.Array : element, element, value);
    }

    private static GgufValueType TypeOf(System.Type type) => System.Type.GetTypeCode(type) switch
    {
        TypeCode.Byte => GgufValueType.UInt8,
        TypeCode.SByte => GgufValueType.Int8,
        TypeCode.UInt16 => GgufValueType.UInt16,
        TypeCode.Int16 => GgufValueType.Int16,
        TypeCode.UInt32 => GgufValueType.UInt32,
        TypeCode.Int32 => GgufValueType.Int32,
        TypeCode.Single => GgufValueType.Float32,
        TypeCode.Boolean => GgufValueType.Bool,
        TypeCode.String => GgufValueType.String,
        TypeCode.UInt64 => GgufValueType.UInt64,
        TypeCode.Int64 => GgufValueType.Int64,
        TypeCode.Double => GgufValueType.Float64,
        _ => throw new ArgumentException($"GGUF metadata has no type for {type.Name}."),
    };
}
