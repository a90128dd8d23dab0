using System.Globalization;
using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>What llama.cpp would refuse or compute otherwise in a file that MambaRT writes and runs.</summary>
/// <remarks>Source: llama.cpp b10587, src/models/mamba.cpp (load_arch_tensors) and mamba-base.cpp.</remarks>
internal static class LlamaCppDifferences
{
    private const string Refuses = "llama.cpp refuses this file";

    /// <summary>One sentence for each difference; for architectures other than Mamba-1 and Mamba-2 none is known of the network.</summary>
    public static IEnumerable<string> Find(GgufMetadata metadata, IReadOnlyList<TensorImport> tensors) =>
        new ModelMetadata(metadata) is { Architecture: "mamba" or "mamba2" } meta ? OfMamba(metadata, meta, tensors).Concat(OfText(metadata)) : OfText(metadata);

    private static IEnumerable<string> OfMamba(GgufMetadata metadata, ModelMetadata meta, IReadOnlyList<TensorImport> tensors)
    {
        if (tensors.Any(t => t.Rule.Presence == TensorPresence.ProjectionBias))
            yield return $"{Refuses}, because the projections have biases; MambaRT runs it.";
        if (!tensors.Any(t => t.Rule.Presence == TensorPresence.ConvolutionBias))
            yield return $"{Refuses}, because the convolution has no bias; MambaRT runs it.";
        if (meta.Architecture == "mamba" && meta.Size("ssm.inner_size") != 2 * meta.Size("embedding_length"))
            yield return $"{Refuses}, because its inner size {meta.Size("ssm.inner_size")} is not twice its width {meta.Size("embedding_length")}; MambaRT runs it.";
        if (metadata.TryGetFloat("mamba.ssm.dt_b_c_rms_epsilon") is float own)
            yield return string.Create(CultureInfo.InvariantCulture,
                $"The norms of dt, B and C have an epsilon of their own ({own}); llama.cpp takes that of the layers' norms ({meta.Positive("attention.layer_norm_rms_epsilon")}) for both, so its logits differ slightly.");
    }

    private static IEnumerable<string> OfText(GgufMetadata metadata)
    {
        if (metadata.TryGetString("tokenizer.ggml.prepend_scheme") == SpacePrefix.First)
            yield return "A space goes before text at its beginning only; llama.cpp puts one after special tokens too.";
        if (metadata.Contains("tokenizer.ggml.spm_merges"))
            yield return "Text is merged by the list of tokenizer.json; llama.cpp goes by scores made of it, which may cut rare words otherwise.";
        if (TokenMatchings.HasAny(metadata))
            yield return "Special tokens take the white space beside them, or are none inside a word (lstrip, rstrip, single_word); llama.cpp does not know it of them.";
    }
}
