using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MambaRT.CApi;

/// <summary>Tokens. What each function does stands in mambart.h.</summary>
internal static unsafe class TokenExports
{
    private const uint Beginning = 1, Special = 2;

    [UnmanagedCallersOnly(EntryPoint = "mrt_encode", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Encode(ulong model, byte* text, nuint bytes, uint flags, int* tokens, nuint capacity, nuint* count)
    {
        try
        {
            if ((flags & ~(Beginning | Special)) != 0) throw new StatusException(Status.Argument, $"'flags' is {flags}; MRT_TOKENS_BEGINNING and MRT_TOKENS_SPECIAL are known.");
            int[] encoded = PromptTokens.Encode(Handles.Get<OpenModel>(model).Model, Arguments.Text(text, bytes, "text"), (flags & Special) != 0, (flags & Beginning) != 0);
            Arguments.Give(encoded, tokens, capacity, count, "count");
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_decode", CallConvs = [typeof(CallConvCdecl)])]
    private static Status Decode(ulong model, int token, int special, byte* text, nuint capacity, nuint* length)
    {
        try
        {
            Arguments.Give(Handles.Get<OpenModel>(model).Model.Tokenizer.Decode(token, special != 0), text, capacity, length, "length");
            return Status.Ok;
        }
        catch (Exception e) { return LastError.Set(e); }
    }

    [UnmanagedCallersOnly(EntryPoint = "mrt_ends_generation", CallConvs = [typeof(CallConvCdecl)])]
    private static int Ends(ulong model, int token)
    {
        try
        {
            ITokenizer? tokenizer = Handles.TryGet<OpenModel>(model)?.Model.Tokenizer;
            return tokenizer is not null && (uint)token < (uint)tokenizer.VocabularySize && tokenizer.IsEndOfGeneration(token) ? 1 : 0;
        }
        catch (Exception e)
        {
            LastError.Set(e);
            return 0;
        }
    }
}
