namespace MambaRT.Runtime;

/// <summary>Reads the statements of a chat template.</summary>
internal sealed class TemplateParser : TemplateExpressionParser
{
    private int _loops;

    private TemplateParser(List<TemplateToken> tokens)
        : base(tokens)
    {
    }

    /// <summary>Reads a template.</summary>
    /// <exception cref="FormatException">The template is malformed or uses what is not supported; the message names the line.</exception>
    public static List<TemplateStatement> Parse(string template)
    {
        var parser = new TemplateParser(TemplateLexer.Lex(template));
        var body = parser.ParseBody();
        if (parser.Current.Kind == TemplateTokenKind.End) return body;
        var tag = parser.Take();
        throw TemplateToken.Error(tag.Line, $"'{tag.Value}' closes or continues nothing here.");
    }

    /// <summary>Reads statements up to the end, or to behind the start of a tag that closes or continues the block around them.</summary>
    private List<TemplateStatement> ParseBody()
    {
        Enter();
        var body = new List<TemplateStatement>();
        while (true)
        {
            var token = Current;
            if (token.Kind == TemplateTokenKind.End) break;
            Take();
            if (token.Kind == TemplateTokenKind.Text)
            {
                body.Add(new TextStatement(token.Line, token.Value));
            }
            else if (token.Kind == TemplateTokenKind.OutputStart)
            {
                body.Add(new OutputStatement(token.Line, ParseTuple()));
                Expect(TemplateTokenKind.OutputEnd, "'}}'");
            }
            else if (Is(TemplateTokenKind.Name) && (Current.Value is "elif" or "else" || Current.Value.StartsWith("end", StringComparison.Ordinal)))
            {
                break;
            }
            else
            {
                body.Add(ParseStatement(token.Line));
            }
        }

        Leave();
        return body;
    }

    private TemplateStatement ParseStatement(int line)
    {
        var name = Expect(TemplateTokenKind.Name, "the name of a statement").Value;
        switch (name)
        {
            case "if":
                return ParseIf(line);
            case "for":
                return ParseFor(line);
            case "set":
                return ParseSet(line);
            case "generation":
                CloseTag();
                return new GroupStatement(line, ParseUntil("generation", line));
            case "break" or "continue":
                if (_loops == 0) throw TemplateToken.Error(line, $"'{name}' stands outside a loop.");
                CloseTag();
                return new JumpStatement(line, name == "break" ? TemplateFlow.Break : TemplateFlow.Continue);
            default:
                throw TemplateToken.Error(
                    line, $"the statement '{name}' is not supported; chat templates may use if, for, set, break, continue and generation.");
        }
    }

    private IfStatement ParseIf(int line)
    {
        var branches = new List<(TemplateExpression?, List<TemplateStatement>)>();
        TemplateExpression? condition = ParseTuple();
        CloseTag();
        while (true)
        {
            branches.Add((condition, ParseBody()));
            if (condition is not null && Accept(TemplateTokenKind.Name, "elif"))
            {
                condition = ParseTuple();
                CloseTag();
            }
            else if (condition is not null && Accept(TemplateTokenKind.Name, "else"))
            {
                condition = null;
                CloseTag();
            }
            else
            {
                CloseBlock("if", line);
                return new IfStatement(line, branches);
            }
        }
    }

    private ForStatement ParseFor(int line)
    {
        var targets = new List<string>();
        var bracket = Accept(TemplateTokenKind.Operator, "(");
        do
        {
            targets.Add(Expect(TemplateTokenKind.Name, "the name of a loop variable").Value);
        }
        while (Accept(TemplateTokenKind.Operator, ","));
        if (bracket) Expect(TemplateTokenKind.Operator, "')'", ")");
        Expect(TemplateTokenKind.Name, "'in'", "in");

        var source = ParseOr();
        var filter = Accept(TemplateTokenKind.Name, "if") ? ParseExpression() : null;
        if (Is(TemplateTokenKind.Name, "recursive")) throw TemplateToken.Error(line, "a recursive loop is not supported.");
        CloseTag();
        _loops++;
        var body = ParseBody();
        _loops--;
        List<TemplateStatement> otherwise = [];
        if (Accept(TemplateTokenKind.Name, "else"))
        {
            CloseTag();
            otherwise = ParseBody();
        }

        CloseBlock("for", line);
        return new ForStatement(line, targets, source, filter, body, otherwise);
    }

    private SetStatement ParseSet(int line)
    {
        var name = Expect(TemplateTokenKind.Name, "the name of a variable").Value;
        var attribute = Accept(TemplateTokenKind.Operator, ".") ? Expect(TemplateTokenKind.Name, "a name after '.'").Value : null;
        if (Accept(TemplateTokenKind.Operator, "="))
        {
            var value = ParseTuple();
            CloseTag();
            return new SetStatement(line, name, attribute, value, []);
        }

        CloseTag();
        return new SetStatement(line, name, attribute, null, ParseUntil("set", line));
    }

    private List<TemplateStatement> ParseUntil(string block, int line)
    {
        var loops = _loops;
        // A jump must not leave a block whose text is being gathered.
        _loops = block == "set" ? 0 : loops;
        var body = ParseBody();
        _loops = loops;
        CloseBlock(block, line);
        return body;
    }

    private void CloseTag() => Expect(TemplateTokenKind.BlockEnd, "'%}'");

    private void CloseBlock(string block, int line)
    {
        if (!Accept(TemplateTokenKind.Name, "end" + block))
            throw TemplateToken.Error(line, $"the block '{block}' is not closed: 'end{block}' is needed; found {Current} in line {Current.Line}.");
        CloseTag();
    }
}
