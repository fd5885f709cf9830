"""Words that look like slips and are none."""

_WORDS = """
    abort aborto aceito acento actual adora afora agende album alerta algema alter alters anjos anon aposto aquece
    aranha arenas artista assento assusto balanced ballet beat belt bent birds bits books boom border borders botado
    brades bring brook brought bust busy cake caldo came canario cancer cane canto card carreira cars cart casa caso
    cave cento centro cercado certos chair chance charge chose cinto circo citacao clone closer closet clove coast
    coat cold comb comet compara comparado comparando comparar comparaste compare complexa complexo compor cone
    contado contra coracao core corta cortado costa cota crass crush cuido culto cumpra cumpre cumpro custom custou
    dairy daisy dawn dead deaf dear death dense detain devil dial dica dicas digo disco dista doce dogs dona donde
    dono dose dove drown earl earring ears edit edited either estadio estrada estudo excerto executor exist expert face
    fade fail falha falsa falta fama fame fare fate father feed feel feet feio feira fender festa fila file fill
    finance fine fire fita flew flour flower focou forge fork form fort friends funcional futura galho gancho ganso
    gather gender gent gesto golf grading grain grand grant guest half hall hard hare hate haven head heap heart
    height hell hole home honra hood hope horn horta hose house ideal indicado inform informal inicial irmao jeitos
    julgo junto jury keel kelp knot lake lash lavro leitora less leste lever liar libera lice life lift ligas lime
    line linhas litro livre lobe loft lone longa longe loose lope lore lotacao love lover lucra lugar lung lust
    macio mago maid mail main male manco mane manta manual marca marcado marker mass master mate mato matrimonio
    maze medo medos meio mental mentida mercados mesas mess mestre mild milha mine mint minto mist model mole monkey
    monstra mood motel moth moto mouth movie muda mudo mule muse nacoes nativo nave negocia nest nisso noise nome
    nono nose notacao note nova novel nuca obito oferta older once oposicao option ordena ouso outro oven oxen paga
    page pain pair pale papel pardo park parque part parte parteira passo pasta paste pauta pave peca pedi pedra
    pele penal pera perco perdoa perna pirata pole pond pope pork port pose post praga praia prato pray prece
    precisao prego preso preta preto pride prime prince prize provisao quadro quail quarto query quinto quota
    race radio rage rapida rare reap rear reativa reel rest restado restar reste revisao rice rico ride rink ripe
    riso robe role root rope rosa rotacao ruler sabor safe sage sail salao salmo salt salto salvo same sarar sauce
    save scale scar seal seem sela self selo sender serio sertao shape share sharp shell shirt shock shoe shoot shop
    shore shot shout side sina site skate slave slow small smell snow sobra sock sofre solid solo spell spinal spoon
    sport stale star stare stark step stick stray supere sway swell taba tale tall tampo tank tapa tape taste taxi
    tela tele templo tempos tend tenda tender tent tento testado testamos text theme thick thin thing tide tile
    tinta tire token trace traces tracing trago training transicao trave tread tree trek trem trena tubo vapor
    varios vase veado vence vencer venceu vencido vendor venho vento venue verde vice vinda vine viste viva voice
    votacao vote vovo waist wall wand weak wealth weed weep weight whale wheat wide wife wild wine wipe wire wish
    word world worm wound zero
"""

REAL_WORDS = frozenset(_WORDS.split())
"""Words that lie one slip away from a word of the lexicon and mean something else: never taken for a slip."""
