"""The words that questions are made of, without accents, and what each stands for.

A sentence is only answered when all its words are known: "what is the price of bread?" must not get Bitcoin's.
So words that say nothing have to be here too (`FILLER`). Phrases are written with underscores.
"""

from enum import StrEnum

from webui_api.talk.question import Language


class Sense(StrEnum):
    """What a word or phrase stands for."""

    FILLER = "filler"
    CUE = "cue"  # begins a question or a request
    NOT = "not"
    DISMISSED = "dismissed"  # what follows is not wanted
    STATED = "stated"  # tells something instead of asking
    CAN_YOU = "can_you"
    DEFINITION = "definition"  # asks what a word means
    GREETING = "greeting"
    HELP = "help"
    ASSET = "asset"
    CURRENCY = "currency"
    HOW_MUCH = "how_much"
    HOW_IS = "how_is"
    PRICE = "price"
    CHANGE = "change"
    WAS = "was"
    ANALYSIS = "analysis"
    MARKET = "market"
    INDICATORS = "indicators"
    RSI = "rsi"
    MOMENTUM = "momentum"
    VOLATILITY = "volatility"
    TREND = "trend"
    EMA = "ema"
    SMA = "sma"
    VOLUME = "volume"
    FLOW = "flow"
    OVERBOUGHT = "overbought"
    OVERSOLD = "oversold"
    BOOK = "book"
    SIGNAL = "signal"
    SHOULD = "should"
    BUY = "buy"
    SELL = "sell"
    HOLD = "hold"
    BOUGHT = "bought"
    SOLD = "sold"
    TRADE = "trade"
    TRADING = "trading"
    LAST = "last"
    WHEN = "when"
    WHY = "why"
    STATUS = "status"
    AGENT = "agent"
    POSITION = "position"
    HAVE = "have"
    MONEY = "money"
    PERFORMANCE = "performance"
    MAKE = "make"
    RISK = "risk"
    STOP = "stop"
    SETTINGS = "settings"
    MODE = "mode"
    DRY = "dry"
    LIVE = "live"
    EVERYTHING = "everything"
    COMMAND = "command"
    FORECAST = "forecast"
    OTHER_MARKET = "other_market"
    OTHER_INDICATOR = "other_indicator"
    TIME = "time"  # read by `periods`
    NUMBER = "number"  # read by `periods`


_PORTUGUESE: dict[Sense, str] = {
    Sense.FILLER: """
        o a os as um uma uns umas de do da dos das em no na nas num numa por pelo pela para pra pro com e ou que ao aos
        meu minha meus minhas seu sua seus suas nossa teu tua este esse essa isso isto aquele la ai aqui ja ainda so
        apenas tambem muito mais favor por_favor pf pfv mim me nos eu tu ele ela eles nosso gente te lhe esta ta estao
        estou estamos e_que ser sou somos sao tao tem_sido fica ficou sera_que acha que_tal geral completo completa
        completos completas detalhado detalhada detalhes detalhe todo toda todos todas saber ver entao ne cara mano
        meu_amigo amigo querido melhor grande par feita feito feitas feitos fez houve teve tivemos ter tenha tive
        quantia tipo nivel leitura numero numeros dado dados informacao informacoes quanto_a sobre dela dele deles delas
        dai disso ate entre sido sendo ai_dentro kucoin usando usa usado usada feito_ate quase hora horario momento ali
        e_ai_entao qualquer algum alguma alguns algumas houver tomou tomada tomar toma dando deu rapido rapidinho
        voltando assunto faz faca fazer bom boa ruim se paguei pagou pago maximo maxima fiz tamanho vezes vez nada coisa
        quer em_usd em_usdt em_dolar em_dolares
        """,
    Sense.CUE: """
        qual quais o_que oq como onde quem mostre mostra mostrar mostrem diga diz dizer fala fale falar conte conta
        liste lista listar informe informa informar me_de da_um explique explica explicar exiba exibir quero queria
        gostaria preciso traga passa_ai veja verifique consulte cade quero_saber resuma resumo manda mande mandar
        """,
    Sense.NOT: "nao nunca nenhum nenhuma nem",
    Sense.DISMISSED: """
        nao_quero nao_preciso esquece esqueca ignore ignora em_vez_de em_vez_do em_vez_da ao_inves_de ao_inves_do
        ao_inves_da sem exceto nao_me_fale nao_me_mostre tirando
        """,
    Sense.STATED: "vi ouvi acho sei soube li disseram dizem falaram parece achei imagino",
    Sense.DEFINITION: "o_que_e o_que_sao o_que_significa significa significado definicao",
    Sense.CAN_YOU: "pode poderia podes consegue voce_pode voce_poderia da_pra da_para posso_ver",
    Sense.GREETING: """
        oi ola bom_dia boa_tarde boa_noite obrigado obrigada valeu vlw obg opa salve tchau e_ai tudo_bem tudo_bom
        beleza blz
        """,
    Sense.HELP: """
        ajuda ajudar ajude socorro comandos opcoes o_que_voce_faz o_que_voce_sabe o_que_voce_consegue
        o_que_voce_pode o_que_posso_perguntar o_que_eu_posso_perguntar o_que_posso_te_perguntar posso_perguntar
        como_funciona como_voce_funciona quem_e_voce o_que_voce_e perguntas perguntar instrucoes
        o_que_voce_responde como_te_uso como_usar
        """,
    Sense.CURRENCY: "dolar dolares",
    Sense.HOW_MUCH: "quanto quantos quanta quantas qto qtos qnto",
    Sense.HOW_IS: "como_esta como_ta como_anda como_vai como_estao como_andam como_vao como_foi como_foram como_tem",
    Sense.PRICE: "preco precos cotacao cotacoes valor custa custando custo vale valendo valem cotado",
    Sense.CHANGE: "variacao variou mudou mudanca subiu caiu subindo caindo alta queda caido subido oscilou",
    Sense.WAS: "era eram custava valia estava estavam foi foram",
    Sense.ANALYSIS: "analise analises analisar analisa analisando panorama diagnostico cenario",
    Sense.MARKET: "mercado",
    Sense.INDICATORS: "indicador indicadores tecnico tecnicos tecnica tecnicas",
    Sense.RSI: "ifr indice_de_forca_relativa forca_relativa",
    Sense.VOLATILITY: "volatilidade volatil",
    Sense.TREND: "tendencia tendencias em_alta em_baixa altista baixista",
    Sense.EMA: "media_movel_exponencial media_exponencial mme",
    Sense.SMA: "media_movel medias_moveis media_movel_simples mms",
    Sense.VOLUME: "volume_relativo indicador_de_volume",
    Sense.FLOW: "fluxo fluxo_de_ordens fluxo_de_negocios",
    Sense.OVERBOUGHT: "sobrecomprado sobrecomprada sobrecompra",
    Sense.OVERSOLD: "sobrevendido sobrevendida sobrevenda",
    Sense.BOOK: """
        livro livro_de_ordens livro_de_ofertas book_de_ofertas book_de_ordens desequilibrio profundidade liquidez
        melhor_compra melhor_venda ofertas pressao_compradora pressao_vendedora
        """,
    Sense.SIGNAL: """
        sinal sinais recomendacao recomendacoes recomenda recomendaria sugestao sugere aconselha conselho decisao
        decisoes decidiu palpite
        """,
    Sense.SHOULD: """
        devo deveria devia devemos deveriamos vale_a_pena hora_de hora_pra bom_momento boa_hora momento_de
        momento_para oportunidade e_hora posso compensa melhor_momento
        """,
    Sense.BUY: "comprar compra compras compro compraria comprando entrar entrada",
    Sense.SELL: "vender venda vendas vendo venderia vendendo sair saida",
    Sense.HOLD: "segurar manter esperar aguardar segurando",
    Sense.BOUGHT: "comprou comprei compramos entrou compraste",
    Sense.SOLD: "vendeu vendi vendemos vendido vendida vendidos saiu vendeste",
    Sense.TRADE: """
        operacao operacoes negociacao negociacoes transacao transacoes negocio negocios ordem ordens operou opera
        operar operei operamos executada executadas executou historico o_que_voce_fez o_que_fez negociou negociar
        """,
    Sense.TRADING: "operando negociando",
    Sense.LAST: "ultimo ultima ultimos ultimas recente recentes mais_recente mais_recentes pela_ultima_vez",
    Sense.WHEN: "quando que_horas",
    Sense.WHY: """
        por_que por_q porque porq pq motivo motivos razao razoes qual_o_motivo por_qual_motivo pra_que pro_que por_qe
        """,
    Sense.STATUS: """
        estado situacao funcionando rodando ligado ativo vivo saude parado pausado travado trabalhando
        o_que_voce_esta_fazendo o_que_esta_fazendo como_voce_esta como_vc_esta tudo_certo tudo_ok desligado fora_do_ar
        no_ar problema problemas parou parada tudo_bem_com esta_tudo_bem ta_tudo_bem
        """,
    Sense.AGENT: "agente robo sistema voce vc voces vcs bote",
    Sense.POSITION: """
        posicao posicoes posicionado aberto aberta abertas abertos em_aberto carteira exposicao comprado comprada
        preco_de_entrada preco_medio preco_de_compra
        """,
    Sense.HAVE: "tem tenho temos possui possuo tens",
    Sense.MONEY: "dinheiro grana",
    Sense.PERFORMANCE: """
        desempenho resultado resultados lucro lucros lucrei lucrou lucramos lucrando lucratividade lucrativo
        lucrativa prejuizo prejuizos perda perdas perdi perdeu perdemos perdendo ganhei ganhou ganhamos ganho ganhos
        ganhando rendimento rendimentos rendeu retorno retornos rentabilidade saldo patrimonio taxa_de_acerto acerto
        acertos taxas_pagas taxas faturou faturei rendendo fator_de_lucro rebaixamento comprar_e_segurar
        """,
    Sense.RISK: """
        risco riscos limite limites perda_maxima perda_diaria protecao protecoes confianca_minima tamanho_maximo
        limite_de_perda limite_diario gerenciamento gestao regras tolerancia limite_diario_de_perda permitidas permitido
        permitida permitidos
        """,
    Sense.SETTINGS: "configuracao configuracoes parametro parametros ajustes configurado configurada",
    Sense.MODE: "modo modos",
    Sense.DRY: """
        simulado simulada simulados simuladas simulacao teste de_mentira ficticio dinheiro_de_mentira dinheiro_falso
        dinheiro_simulado
        """,
    Sense.LIVE: "real de_verdade ao_vivo dinheiro_real dinheiro_de_verdade",
    Sense.EVERYTHING: "tudo",
    Sense.COMMAND: """
        compre compra_ai venda_tudo vende_tudo vender_tudo comprar_tudo mude mudar altere alterar ative ativar
        desative desativar troque trocar ligue ligar desligue desligar inicie iniciar reinicie reiniciar pausar pausa
        pare parar feche fechar cancele cancelar aumente aumentar reduza reduzir diminua diminuir deposite depositar
        saque sacar transfira transferir coloque configure configurar ajuste encerre encerrar retome retomar zere
        """,
    Sense.FORECAST: """
        vai vao ira irao sera serao amanha futuro previsao previsoes preve prever projecao prognostico proximo
        proxima proximos proximas cair subir explodir chegar chegara cairia subiria vamos ate_o_fim
        """,
    Sense.OTHER_INDICATOR: "valor_de_mercado capitalizacao dominancia",
    Sense.OTHER_MARKET: "ouro prata acoes petroleo reais euros libra iene real_brasileiro em_real",
    Sense.TIME: """
        hoje hj ontem anteontem dia dias diario diaria diarios semana semanas semanal semanais mes meses mensal mensais
        ano anos anual anuais trimestre trimestral semestre semestral quinzena horas minuto minutos min agora atual
        atuais atualmente neste_momento no_momento nesse_momento nesta desde passado passada passados passadas inicio
        comeco sempre total ate_agora ate_hoje nesse neste nessa dessa deste desta desse dia_de_hoje segunda terca
        quarta quinta sexta sabado domingo janeiro fevereiro marco abril maio junho julho agosto setembro outubro
        novembro dezembro tempo_real em_tempo_real de_hoje manha tarde noite h d
        """,
    Sense.NUMBER: "dois duas tres quatro cinco seis sete oito nove dez quinze vinte trinta cinquenta cem",
}

_ENGLISH: dict[Sense, str] = {
    Sense.FILLER: """
        the a an of in on at to for with and or is are am be been being it its that these those my your our their there
        here just only also very much more please pls plz me i he she they them do does did has had have_been as by from
        about some any so then ok okay hmm well hey_man dude friend bro buddy s re ve overall full complete detailed
        detail details all_of every latest_on level reading value_of number figures data info information get doing look
        looks like right up_to into going taken executed done let lets today_so_far again really actually quickly quick
        guys folks kucoin using used kind what_about how_about whole im youre youve ive one max maximum good bad teh hte
        paid pay so_far_today size times ratio looking nothing anything saying over yet in_usd in_usdt in_dollars
        in_us_dollars
        """,
    Sense.CUE: """
        what whats which how show tell give list display want need explain describe who where let_me_know i_want i_need
        id_like i_would_like can_i_see could_i_see let_me_see summarize summary wheres whos check fetch can_i_have
        can_i_get can_i_check can_i_know send
        """,
    Sense.NOT: "not no didnt dont doesnt isnt arent havent hasnt wasnt never none without_any cant",
    Sense.DISMISSED: """
        i_dont_want dont_want i_dont_need dont_need i_do_not_want do_not_want forget ignore instead_of rather_than
        without except dont_show dont_tell_me never_mind not_interested_in i_dont_care_about dont_care_about
        """,
    Sense.STATED: "saw heard think know believe guess noticed said says hear seems",
    Sense.DEFINITION: "what_is_a what_is_an whats_a whats_an mean means meaning definition define",
    Sense.CAN_YOU: "can could can_you could_you would_you would will_you can_u",
    Sense.GREETING: """
        hello hi hey good_morning good_afternoon good_evening good_night thanks thank_you thx cheers bye greetings
        """,
    Sense.HELP: """
        help commands options what_can_you_do what_do_you_do what_can_i_ask what_can_i_ask_you can_i_ask
        what_questions questions what_do_you_know how_do_you_work how_does_it_work how_does_this_work who_are_you
        what_are_you how_do_i_use you_answer instructions how_can_i_use what_can_you_tell_me what_can_you_answer
        """,
    Sense.CURRENCY: "dollar dollars",
    Sense.HOW_MUCH: "how_much how_many",
    Sense.HOW_IS: "how_is hows how_are how_has how_have how_did how_was how_does",
    Sense.PRICE: """
        price prices quote quotes quotation worth cost costs value rate trading_at going_for bitcoin_at btc_at
        """,
    Sense.CHANGE: """
        changed change moved move rose fell risen fallen dropped up down rising falling variation fall falls drop drops
        dropping rise rises grow grew
        """,
    Sense.WAS: "was were",
    Sense.ANALYSIS: "analysis analyses analyse analyze analyzing overview outlook_now picture",
    Sense.MARKET: "market markets",
    Sense.INDICATORS: "indicator indicators technical technicals",
    Sense.RSI: "relative_strength_index relative_strength",
    Sense.VOLATILITY: "volatility volatile",
    Sense.TREND: "trend trends trending bullish bearish uptrend downtrend",
    Sense.EMA: "exponential_moving_average",
    Sense.SMA: "moving_average moving_averages simple_moving_average",
    Sense.VOLUME: "volume_ratio relative_volume volume_indicator",
    Sense.FLOW: "flow trade_flow order_flow",
    Sense.OVERBOUGHT: "overbought",
    Sense.OVERSOLD: "oversold",
    Sense.BOOK: """
        order_book orderbook depth imbalance bids asks ask liquidity best_bid best_ask buying_pressure
        selling_pressure
        """,
    Sense.SIGNAL: """
        signal signals recommendation recommendations recommend recommended suggestion suggest suggests advise advice
        decision decisions decided decide opinion
        """,
    Sense.SHOULD: """
        should shall good_time time_to right_time good_moment good_opportunity opportunity worth_buying best_time
        good_idea is_it_wise smart may can_i could_i
        """,
    Sense.BUY: "buy buying buys purchase purchases long go_long entry enter",
    Sense.SELL: "sell selling sells sale sales exit short go_short",
    Sense.HOLD: "wait keep stay",
    Sense.BOUGHT: "bought purchased entered",
    Sense.SOLD: "sold exited",
    Sense.TRADE: """
        transaction transactions order orders traded deal deals history what_did_you_do operations operation
        what_have_you_done executions trade_history
        """,
    Sense.TRADING: "",
    Sense.LAST: "last latest recent newest most_recent recently",
    Sense.WHEN: "when what_time",
    Sense.WHY: "why how_come reason reasons what_is_the_reason whats_the_reason whys what_made_you",
    Sense.STATUS: """
        state running working alive healthy health active stopped paused halted broken stuck what_are_you_doing
        how_are_you everything_ok everything_okay all_good idle down_now problem problems wrong
        """,
    Sense.AGENT: "agent robot system you u machine we",
    Sense.POSITION: """
        position positions open exposure portfolio wallet invested in_the_market entry_price average_price
        purchase_price average_entry
        """,
    Sense.HAVE: "have own got holding holdings held",
    Sense.MONEY: "money cash",
    Sense.PERFORMANCE: """
        result results profit profits profitable profitability loss losses lost lose losing earn earned earning earnings
        gain gains gained won win winning return returns pl balance equity win_rate fees fee_paid made_money lost_money
        success_rate profit_factor buy_and_hold performing performed perform hit_rate
        """,
    Sense.MAKE: "make made making",
    Sense.RISK: """
        risk risks limit limits max_loss maximum_loss daily_loss daily_limit minimum_confidence protection protections
        loss_limit position_size max_position rules daily_loss_limit allowed
        """,
    Sense.SETTINGS: "setting settings configuration config parameter parameters configured set_to preferences",
    Sense.MODE: "mode modes",
    Sense.DRY: """
        simulated simulation paper test testing fake dry_run fake_money simulated_money play_money virtual_money
        paper_money
        """,
    Sense.LIVE: "real for_real real_money",
    Sense.EVERYTHING: "everything all",
    Sense.COMMAND: """
        buy_me sell_everything sell_all sell_it switch set enable disable turn start restart pause halt resume close
        cancel deactivate activate increase decrease reduce deposit withdraw transfer liquidate lower raise reset adjust
        """,
    Sense.FORECAST: """
        will tomorrow future forecast forecasts predict prediction predictions next going_to expect expected if
        gonna wont soon reach hit_by crash moon
        """,
    Sense.OTHER_INDICATOR: "market_cap market_value dominance",
    Sense.OTHER_MARKET: "gold silver stocks stock oil pound yen",
    Sense.TIME: """
        today yesterday day days daily week weeks weekly month months monthly year years yearly annual quarter quarterly
        hour hours hourly minute minutes now current currently moment at_the_moment since past ago so_far beginning
        start_of inception ever total all_time always lately this right_now monday tuesday wednesday thursday friday
        saturday sunday january february march april may_month june july august september october november december
        real_time in_real_time previous morning afternoon night evening h d
        """,
    Sense.NUMBER: "two three four five six seven eight nine ten fifteen twenty thirty fifty hundred couple",
}

_BOTH: dict[Sense, str] = {
    Sense.ASSET: "bitcoin bitcoins btc xbt btcusdt",
    Sense.CURRENCY: "usd usdt us",
    Sense.RSI: "rsi",
    Sense.MOMENTUM: "momentum",
    Sense.EMA: "ema",
    Sense.SMA: "sma",
    Sense.BOOK: "book spread bid",
    Sense.HOLD: "hold",
    Sense.TRADE: "trade trades",
    Sense.TRADING: "trading",
    Sense.STATUS: "status online offline",
    Sense.AGENT: "bot",
    Sense.PERFORMANCE: "performance pnl sharpe drawdown p_l",
    Sense.RISK: "stop_loss stoploss take_profit takeprofit trailing trailing_stop cooldown",
    Sense.STOP: "stop stops",
    Sense.DRY: "dry demo",
    Sense.LIVE: "live",
    Sense.OTHER_MARKET: """
        ethereum eth ether solana dogecoin doge cardano ripple xrp litecoin ltc bnb altcoin altcoins tesla petrobras
        nasdaq ibovespa brl eur gbp binance coinbase bybit kraken euro
        """,
    Sense.OTHER_INDICATOR: "volume macd bollinger stochastic estocastico fibonacci ichimoku atr adx vwap obv",
}


def _entries(words: dict[Sense, str]) -> dict[tuple[str, ...], Sense]:
    return {tuple(entry.split("_")): sense for sense, text in words.items() for entry in text.split()}


LEXICA: dict[Language, dict[tuple[str, ...], Sense]] = {
    Language.PORTUGUESE: _entries(_PORTUGUESE) | _entries(_BOTH),
    Language.ENGLISH: _entries(_ENGLISH) | _entries(_BOTH),
}
