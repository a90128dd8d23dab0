using Xunit;

namespace MambaRT.Tests;

/// <summary>Templates that published models carry, with the text that the Python library Jinja renders from them.</summary>
public sealed class ChatTemplateTests
{
    private static readonly ChatMessage[] UserAssistant = [new("user", "Hi"), new("assistant", "Hello."), new("user", "Bye")];

    private static readonly ChatMessage[] SystemUserAssistant =
        [new("system", "Be brief."), new("user", " Hi! "), new("assistant", "Hello."), new("user", "Bye")];

    [Fact]
    public void Render_ChatMl_GivesTheModelsPrompt()
    {
        const string Template =
            "{% for message in messages %}" +
            "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}" +
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
        var template = ChatTemplate.Parse(Template);
        const string Expected =
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Hi! <|im_end|>\n" +
            "<|im_start|>assistant\nHello.<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n";
        Assert.Equal(Expected, template.Render(SystemUserAssistant, false, "<s>", "</s>"));
        Assert.Equal(Expected + "<|im_start|>assistant\n", template.Render(SystemUserAssistant, true, "<s>", "</s>"));
        Assert.Equal(Expected, ChatTemplate.ChatMl.Render(SystemUserAssistant, false));
    }

    [Fact]
    public void Render_FalconMamba_GivesTheModelsPrompt()
    {
        const string Template =
            "{% for message in messages %}" +
            "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}" +
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
        var template = ChatTemplate.Parse(Template);
        const string Expected =
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Hi! <|im_end|>\n" +
            "<|im_start|>assistant\nHello.<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n";
        Assert.Equal(Expected, template.Render(SystemUserAssistant, false, "<s>", "</s>"));
        Assert.Equal(Expected + "<|im_start|>assistant\n", template.Render(SystemUserAssistant, true, "<s>", "</s>"));
    }

    [Fact]
    public void Render_Llama3_GivesTheModelsPrompt()
    {
        const string Template =
            "{% set loop_messages = messages %}{% for message in loop_messages %}" +
            "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}" +
            "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}" +
            "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}";
        var template = ChatTemplate.Parse(Template);
        const string Expected =
            "<s><|start_header_id|>system<|end_header_id|>\n\n" +
            "Be brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n" +
            "Hi!<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n" +
            "Hello.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|>";
        Assert.Equal(Expected, template.Render(SystemUserAssistant, false, "<s>", "</s>"));
        Assert.Equal(Expected + "<|start_header_id|>assistant<|end_header_id|>\n\n", template.Render(SystemUserAssistant, true, "<s>", "</s>"));
    }

    [Fact]
    public void Render_Mistral_GivesTheModelsPrompt()
    {
        const string Template =
            "{{ bos_token }}{% for message in messages %}" +
            "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}" +
            "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}" +
            "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}" +
            "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}{% else %}" +
            "{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}";
        var template = ChatTemplate.Parse(Template);
        const string Expected =
            "<s>[INST] Hi [/INST]Hello.</s>[INST] Bye [/INST]";
        Assert.Equal(Expected, template.Render(UserAssistant, false, "<s>", "</s>"));
        Assert.Equal(Expected, template.Render(UserAssistant, true, "<s>", "</s>"));
    }

    [Fact]
    public void Render_Codestral_GivesTheModelsPrompt()
    {
        const string Template =
            "{%- if messages[0][\"role\"] == \"system\" %}\n" +
            "    {%- set system_message = messages[0][\"content\"] %}\n" +
            "    {%- set loop_messages = messages[1:] %}\n" +
            "{%- else %}\n" +
            "    {%- set loop_messages = messages %}\n" +
            "{%- endif %}\n" +
            "{%- if not tools is defined %}\n" +
            "    {%- set tools = none %}\n" +
            "{%- endif %}\n" +
            "{%- set user_messages = loop_messages | selectattr(\"role\", \"equalto\", \"user\") | list %}\n" +
            "\n" +
            "{#- This block checks for alternating user/assistant messages, skipping tool calling messages #}\n" +
            "{%- set ns = namespace() %}\n" +
            "{%- set ns.index = 0 %}\n" +
            "{%- for message in loop_messages %}\n" +
            "    {%- if not (message.role == \"tool\" or message.role == \"tool_results\" or (message.tool_calls is defined and message.tool_calls is not none)) %}\n" +
            "        {%- if (message[\"role\"] == \"user\") != (ns.index % 2 == 0) %}\n" +
            "            {{- raise_exception(\"After the optional system message, conversation roles must alternate user/assistant/user/assistant/...\") }}\n" +
            "        {%- endif %}\n" +
            "        {%- set ns.index = ns.index + 1 %}\n" +
            "    {%- endif %}\n" +
            "{%- endfor %}\n" +
            "\n" +
            "{{- bos_token }}\n" +
            "{%- for message in loop_messages %}\n" +
            "    {%- if message[\"role\"] == \"user\" %}\n" +
            "        {%- if tools is not none and (message == user_messages[-1]) %}\n" +
            "            {{- \"[AVAILABLE_TOOLS] [\" }}\n" +
            "        {%- endif %}\n" +
            "        {%- if loop.last and system_message is defined %}\n" +
            "            {{- \"[INST] \" + system_message + \"\\n\\n\" + message[\"content\"] + \"[/INST]\" }}\n" +
            "        {%- else %}\n" +
            "            {{- \"[INST] \" + message[\"content\"] + \"[/INST]\" }}\n" +
            "        {%- endif %}\n" +
            "    {%- elif message[\"role\"] == \"assistant\" %}\n" +
            "        {{- \" \" + message[\"content\"] + eos_token}}\n" +
            "    {%- else %}\n" +
            "        {{- raise_exception(\"Only user and assistant roles are supported, with the exception of an initial optional system message!\") }}\n" +
            "    {%- endif %}\n" +
            "{%- endfor %}\n";
        var template = ChatTemplate.Parse(Template);
        const string Expected =
            "<s>[INST]  Hi! [/INST] Hello.</s>[INST] Be brief.\n\nBye[/INST]";
        Assert.Equal(Expected, template.Render(SystemUserAssistant, false, "<s>", "</s>"));
        Assert.Equal(Expected, template.Render(SystemUserAssistant, true, "<s>", "</s>"));
    }

    [Fact]
    public void Render_Zephyr_GivesTheModelsPrompt()
    {
        const string Template =
            "{% for message in messages %}\n" +
            "{% if message['role'] == 'user' %}\n" +
            "{{ '<|user|>\n" +
            "' + message['content'] + eos_token }}\n" +
            "{% elif message['role'] == 'system' %}\n" +
            "{{ '<|system|>\n" +
            "' + message['content'] + eos_token }}\n" +
            "{% elif message['role'] == 'assistant' %}\n" +
            "{{ '<|assistant|>\n" +
            "'  + message['content'] + eos_token }}\n" +
            "{% endif %}\n" +
            "{% if loop.last and add_generation_prompt %}\n" +
            "{{ '<|assistant|>' }}\n" +
            "{% endif %}\n" +
            "{% endfor %}";
        var template = ChatTemplate.Parse(Template);
        const string Expected =
            "<|system|>\nBe brief.</s>\n<|user|>\n Hi! </s>\n<|assistant|>\nHello.</s>\n<|user|>\nBye</s>\n";
        Assert.Equal(Expected, template.Render(SystemUserAssistant, false, "<s>", "</s>"));
        Assert.Equal(Expected + "<|assistant|>\n", template.Render(SystemUserAssistant, true, "<s>", "</s>"));
    }

    [Fact]
    public void Render_Llama2_GivesTheModelsPrompt()
    {
        const string Template =
            "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}" +
            "{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}" +
            "{% set system_message = false %}{% endif %}{% for message in loop_messages %}" +
            "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}" +
            "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}" +
            "{% if loop.index0 == 0 and system_message != false %}" +
            "{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}" +
            "{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}" +
            "{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}" +
            "{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}";
        var template = ChatTemplate.Parse(Template);
        const string Expected =
            "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\n Hi! [/INST] Hello. </s><s>[INST] Bye [/INST]";
        Assert.Equal(Expected, template.Render(SystemUserAssistant, false, "<s>", "</s>"));
        Assert.Equal(Expected, template.Render(SystemUserAssistant, true, "<s>", "</s>"));
    }

    [Fact]
    public void Render_Gemma_GivesTheModelsPrompt()
    {
        const string Template =
            "{{ bos_token }}{% if messages[0]['role'] == 'system' %}" +
            "{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}" +
            "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}" +
            "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}" +
            "{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}" +
            "{% set role = message['role'] %}{% endif %}" +
            "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}" +
            "{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}";
        var template = ChatTemplate.Parse(Template);
        const string Expected =
            "<s><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\nHello.<end_of_turn>\n" +
            "<start_of_turn>user\nBye<end_of_turn>\n";
        Assert.Equal(Expected, template.Render(UserAssistant, false, "<s>", "</s>"));
        Assert.Equal(Expected + "<start_of_turn>model\n", template.Render(UserAssistant, true, "<s>", "</s>"));
    }

    [Fact]
    public void Render_StoryModel_GivesTheModelsPrompt()
    {
        const string Template =
            "{% for m in messages %}{% if m['role'] == 'assistant' %}{{ '<|assistant|>' + m['content'] + '<|end|>' }}" +
            "{% else %}{{ '<|user|>' + m['content'] + '<|end|>' }}{% endif %}{% endfor %}" +
            "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";
        var template = ChatTemplate.Parse(Template);
        const string Expected =
            "<|user|>Hi<|end|><|assistant|>Hello.<|end|><|user|>Bye<|end|>";
        Assert.Equal(Expected, template.Render(UserAssistant, false, "<s>", "</s>"));
        Assert.Equal(Expected + "<|assistant|>", template.Render(UserAssistant, true, "<s>", "</s>"));
    }

    [Theory]
    [InlineData("chatml", "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Hi! <|im_end|>\n<|im_start|>assistant\nHello.<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n")]
    [InlineData("llama2", "[INST] Be brief.\n Hi!  [/INST]Hello.</s>[INST] Bye [/INST]")]
    [InlineData("llama2-sys", "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\n Hi!  [/INST]Hello.</s>[INST] Bye [/INST]")]
    [InlineData("llama2-sys-bos", "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\n Hi!  [/INST]Hello.</s><s>[INST] Bye [/INST]")]
    [InlineData("llama2-sys-strip", "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi! [/INST]Hello.</s>[INST] Bye [/INST]")]
    [InlineData("llama3", "<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi!<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHello.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n")]
    [InlineData("mistral-v1", " [INST] Be brief.\n\n Hi!  [/INST] Hello.</s> [INST] Bye [/INST]")]
    [InlineData("mistral-v3", "[INST] Be brief.\n\n Hi! [/INST] Hello.</s>[INST] Bye[/INST]")]
    [InlineData("mistral-v3-tekken", "[INST]Be brief.\n\n Hi! [/INST]Hello.</s>[INST]Bye[/INST]")]
    [InlineData("mistral-v7", "[SYSTEM_PROMPT] Be brief.[/SYSTEM_PROMPT][INST]  Hi! [/INST] Hello.</s>[INST] Bye[/INST]")]
    [InlineData("phi3", "<|system|>\nBe brief.<|end|>\n<|user|>\n Hi! <|end|>\n<|assistant|>\nHello.<|end|>\n<|user|>\nBye<|end|>\n<|assistant|>\n")]
    [InlineData("falcon3", "<|system|>\nBe brief.\n<|user|>\n Hi! \n<|assistant|>\nHello.\n<|user|>\nBye\n<|assistant|>\n")]
    [InlineData("zephyr", "<|system|>\nBe brief.<|endoftext|>\n<|user|>\n Hi! <|endoftext|>\n<|assistant|>\nHello.<|endoftext|>\n<|user|>\nBye<|endoftext|>\n<|assistant|>\n")]
    [InlineData("gemma", "<start_of_turn>user\nBe brief.\n\nHi!<end_of_turn>\n<start_of_turn>model\nHello.<end_of_turn>\n<start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>model\n")]
    [InlineData("vicuna", "Be brief.\n\nUSER:  Hi! \nASSISTANT: Hello.</s>\nUSER: Bye\nASSISTANT:")]
    [InlineData("granite", "<|start_of_role|>system<|end_of_role|>Be brief.<|end_of_text|>\n<|start_of_role|>user<|end_of_role|> Hi! <|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>Hello.<|end_of_text|>\n<|start_of_role|>user<|end_of_role|>Bye<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>\n")]
    [InlineData("chatglm3", "[gMASK]sop<|system|>\n Be brief.<|user|>\n  Hi! <|assistant|>\n Hello.<|user|>\n Bye<|assistant|>")]
    [InlineData("openchat", "Be brief.<|end_of_turn|>GPT4 Correct User:  Hi! <|end_of_turn|>GPT4 Correct Assistant: Hello.<|end_of_turn|>GPT4 Correct User: Bye<|end_of_turn|>GPT4 Correct Assistant:")]
    [InlineData("orion", "Human: Be brief.\n\n Hi! \n\nAssistant: </s>Hello.</s>Human: Bye\n\nAssistant: </s>")]
    [InlineData("command-r", "<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>Be brief.<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>Hi!<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>Hello.<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>Bye<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>")]
    public void Named_CommonTemplate_WritesLlamaCppsFormat(string name, string expected) =>
        Assert.Equal(expected, ChatTemplates.Named(name)?.Render(SystemUserAssistant, true));

    [Fact]
    public void Named_EveryName_RendersAConversation()
    {
        foreach (string name in ChatTemplates.Names) Assert.Contains("Bye", ChatTemplates.Named(name)?.Render(SystemUserAssistant, true));
        Assert.Null(ChatTemplates.Named("unheard-of"));
    }

    [Fact]
    public void Render_MistralRolesOutOfTurn_RefusesInTheTemplatesWords()
    {
        var template = ChatTemplate.Parse(
            "{% for m in messages %}\n{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}\n"
            + "{{ raise_exception('Roles must alternate') }}{% endif %}{% endfor %}");
        var error = Assert.Throws<FormatException>(() => template.Render(SystemUserAssistant, true));
        Assert.Contains("line 3", error.Message);
        Assert.Contains("Roles must alternate", error.Message);
        Assert.Equal("", template.Render(UserAssistant, true));
    }

    [Fact]
    public void Render_BadMessages_AreRefused()
    {
        Assert.Throws<ArgumentException>(() => ChatTemplate.ChatMl.Render([new ChatMessage(null!, "x")], false));
        Assert.Throws<ArgumentException>(() => ChatTemplate.ChatMl.Render([default], false));
        Assert.Throws<ArgumentNullException>(() => ChatTemplate.ChatMl.Render(null!, false));
        Assert.Equal("", ChatTemplate.ChatMl.Render([], false));
    }
}
