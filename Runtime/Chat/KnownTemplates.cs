namespace MambaRT.Chat;

/// <summary>
/// Common templates under llama.cpp's names, in our words. Source of names and formats: llama.cpp, src/llama-chat.cpp; what begins a
/// sequence is left to the tokenizer, as there.
/// </summary>
internal static class KnownTemplates
{
    /// <summary>ChatML.</summary>
    public const string ChatMl =
        "{% for message in messages %}"
        + "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
        + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

    // Where a format has no turn for the system, it precedes the first turn of the user.
    private const string SystemFirst = "{% set ns = namespace(system='') %}{% for m in messages %}{% if m.role == 'system' %}";

    /// <summary>The templates by name.</summary>
    public static SortedDictionary<string, string> All { get; } = new SortedDictionary<string, string>(StringComparer.Ordinal)
    {
        ["chatml"] = ChatMl,
        ["llama2"] = Llama2("{{ m.content }}\n", "", ""),
        ["llama2-sys"] = Llama2("<<SYS>>\n{{ m.content }}\n<</SYS>>\n\n", "", ""),
        ["llama2-sys-bos"] = Llama2("<<SYS>>\n{{ m.content }}\n<</SYS>>\n\n", "<s>", ""),
        ["llama2-sys-strip"] = Llama2("<<SYS>>\n{{ m.content | trim }}\n<</SYS>>\n\n", "", " | trim"),
        ["llama3"] = Turns("<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content | trim }}<|eot_id|>", "<|start_header_id|>assistant<|end_header_id|>\n\n"),
        ["llama4"] = Turns("<|header_start|>{{ m.role }}<|header_end|>\n\n{{ m.content | trim }}<|eot|>", "<|header_start|>assistant<|header_end|>\n\n"),
        ["mistral-v1"] = Mistral(" ", " ", ""),
        ["mistral-v3"] = Mistral("", " ", " | trim"),
        ["mistral-v3-tekken"] = Mistral("", "", ""),
        ["mistral-v7"] = Roles("[SYSTEM_PROMPT] {{ m.content }}[/SYSTEM_PROMPT]", "[INST] {{ m.content }}[/INST]", " {{ m.content }}</s>", ""),
        ["mistral-v7-tekken"] = Roles("[SYSTEM_PROMPT]{{ m.content }}[/SYSTEM_PROMPT]", "[INST]{{ m.content }}[/INST]", "{{ m.content }}</s>", ""),
        ["phi3"] = Turns("<|{{ m.role }}|>\n{{ m.content }}<|end|>\n", "<|assistant|>\n"),
        ["phi4"] = Turns("<|im_start|>{{ m.role }}<|im_sep|>{{ m.content }}<|im_end|>", "<|im_start|>assistant<|im_sep|>"),
        ["falcon3"] = Turns("<|{{ m.role }}|>\n{{ m.content }}\n", "<|assistant|>\n"),
        ["zephyr"] = Turns("<|{{ m.role }}|>\n{{ m.content }}<|endoftext|>\n", "<|assistant|>\n"),
        ["monarch"] = Turns("{{ '' if loop.first else '<s>' }}{{ m.role }}\n{{ m.content }}</s>\n", "<s>assistant\n"),
        ["gemma"] = SystemFirst + "{% set ns.system = ns.system + m.content | trim %}{% else %}"
            + "{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\\n' }}"
            + "{% if ns.system and m.role != 'assistant' %}{{ ns.system + '\\n\\n' }}{% set ns.system = '' %}{% endif %}"
            + "{{ m.content | trim + '<end_of_turn>\\n' }}{% endif %}{% endfor %}{{ '<start_of_turn>model\\n' if add_generation_prompt }}",
        ["orion"] = SystemFirst + "{% set ns.system = ns.system + m.content %}{% elif m.role == 'user' %}{{ 'Human: ' }}"
            + "{% if ns.system %}{{ ns.system + '\\n\\n' }}{% set ns.system = '' %}{% endif %}{{ m.content + '\\n\\nAssistant: </s>' }}"
            + "{% else %}{{ m.content + '</s>' }}{% endif %}{% endfor %}",
        ["openchat"] = Turns("{{ '' if m.role == 'system' else 'GPT4 Correct ' + m.role | capitalize + ': ' }}{{ m.content }}<|end_of_turn|>", "GPT4 Correct Assistant:"),
        ["vicuna"] = Roles("{{ m.content }}\n\n", "USER: {{ m.content }}\n", "ASSISTANT: {{ m.content }}</s>\n", "ASSISTANT:"),
        ["vicuna-orca"] = Roles("SYSTEM: {{ m.content }}\n", "USER: {{ m.content }}\n", "ASSISTANT: {{ m.content }}</s>\n", "ASSISTANT:"),
        ["deepseek"] = Roles("{{ m.content }}", "### Instruction:\n{{ m.content }}\n", "### Response:\n{{ m.content }}\n<|EOT|>\n", "### Response:\n"),
        ["deepseek2"] = Roles("{{ m.content }}\n\n", "User: {{ m.content }}\n\n", "Assistant: {{ m.content }}<｜end▁of▁sentence｜>", "Assistant:"),
        ["deepseek3"] = Roles("{{ m.content }}\n\n", "<｜User｜>{{ m.content }}", "<｜Assistant｜>{{ m.content }}<｜end▁of▁sentence｜>", "<｜Assistant｜>"),
        ["command-r"] = Roles(
            "<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>{{ m.content | trim }}<|END_OF_TURN_TOKEN|>",
            "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>{{ m.content | trim }}<|END_OF_TURN_TOKEN|>",
            "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{{ m.content | trim }}<|END_OF_TURN_TOKEN|>",
            "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"),
        ["chatglm3"] = "[gMASK]sop" + Turns("<|{{ m.role }}|>\n {{ m.content }}", "<|assistant|>"),
        ["chatglm4"] = "[gMASK]<sop>" + Turns("<|{{ m.role }}|>\n{{ m.content }}", "<|assistant|>\n"),
        ["glmedge"] = Turns("<|{{ m.role }}|>\n{{ m.content }}", "<|assistant|>"),
        ["minicpm"] = Roles("{{ m.content | trim }}", "<用户>{{ m.content | trim }}<AI>", "{{ m.content | trim }}", ""),
        ["exaone3"] = Exaone(),
        ["exaone4"] = Exaone(),
        ["rwkv-world"] = Roles("System: {{ m.content | trim }}\n\n", "User: {{ m.content | trim }}\n\n{{ 'Assistant:' if loop.last }}", "Assistant: {{ m.content | trim }}\n\n", ""),
        ["granite"] = Turns("<|start_of_role|>{{ m.role }}<|end_of_role|>{{ m.content }}<|end_of_text|>\n", "<|start_of_role|>assistant<|end_of_role|>\n"),
        ["megrez"] = Turns("<|role_start|>{{ m.role }}<|role_end|>{{ m.content }}<|turn_end|>", "<|role_start|>assistant<|role_end|>"),
        ["bailing"] = Turns("<role>{{ 'HUMAN' if m.role == 'user' else m.role | upper }}</role>{{ m.content }}", "<role>ASSISTANT</role>"),
        ["smolvlm"] = "<|im_start|>" + Roles("{{ m.content }}\n\n", "User: {{ m.content }}<end_of_utterance>\n", "Assistant: {{ m.content }}<end_of_utterance>\n", "Assistant:"),
    };

    private static string Exaone() => Roles(
        "[|system|]{{ m.content | trim }}[|endofturn|]\n", "[|user|]{{ m.content | trim }}\n", "[|assistant|]{{ m.content | trim }}[|endofturn|]\n", "[|assistant|]");

    /// <summary>One form for all turns. Line breaks stand in strings, as one behind a tag is left out.</summary>
    private static string Turns(string turn, string prompt) =>
        $"{{% for m in messages %}}{Exact(turn)}{{% endfor %}}{Prompt(prompt)}";

    private static string Roles(string system, string user, string assistant, string prompt) =>
        $"{{% for m in messages %}}{{% if m.role == 'system' %}}{Exact(system)}{{% elif m.role == 'user' %}}{Exact(user)}{{% else %}}{Exact(assistant)}{{% endif %}}{{% endfor %}}{Prompt(prompt)}";

    private static string Llama2(string system, string bos, string trim) =>
        "[INST] {% set ns = namespace(inside=true) %}{% for m in messages %}{% if not ns.inside %}" + bos + "{{ '[INST] ' }}{% set ns.inside = true %}{% endif %}"
        + "{% if m.role == 'system' %}" + Exact(system) + "{% elif m.role == 'user' %}{{ m.content" + trim + " }} [/INST]"
        + "{% else %}{{ m.content" + trim + " }}</s>{% set ns.inside = false %}{% endif %}{% endfor %}";

    private static string Mistral(string leading, string trailing, string trim) =>
        "{% set ns = namespace(inside=false) %}{% for m in messages %}{% if not ns.inside %}{{ '" + leading + "[INST]" + trailing + "' }}{% set ns.inside = true %}{% endif %}"
        + "{% if m.role == 'system' %}{{ m.content + '\\n\\n' }}{% elif m.role == 'user' %}{{ m.content + '" + leading + "[/INST]' }}"
        + "{% else %}{{ '" + trailing + "' + m.content" + trim + " + '</s>' }}{% set ns.inside = false %}{% endif %}{% endfor %}";

    private static string Prompt(string text) => text.Length == 0 ? "" : $"{{% if add_generation_prompt %}}{Exact(text)}{{% endif %}}";

    private static string Exact(string text) => text.Replace("\n", "{{ '\\n' }}", StringComparison.Ordinal);
}
