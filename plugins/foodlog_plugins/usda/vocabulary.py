"""The words by which food descriptions are read: which name a kind, a part, a state, a filler.

All are in the form :func:`foodlog.dishes.canonical` gives them.
"""

from foodlog.dishes import canonical


def _words(text: str) -> frozenset[str]:
    return frozenset(canonical(word) for word in text.split())


def _table(text: str) -> dict[str, frozenset[str]]:
    """Lines of ``words: words``; every word on the left has all words on the right."""
    table: dict[str, frozenset[str]] = {}
    for line in text.strip().splitlines():
        left, _, right = line.partition(":")
        for word in left.split():
            table[canonical(word)] = table.get(canonical(word), frozenset()) | _words(right)
    return table


def _phrases(text: str) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Lines of ``words = words``."""
    pairs = (line.split("=") for line in text.strip().splitlines())
    return {tuple(canonical(a).split()): tuple(canonical(b).split()) for a, b in pairs}


SYNONYMS = _phrases("""
    donut = doughnut
    jacket potato = baked potato
    broad bean = fava bean
    fish finger = fish stick
    fish goujon = fish stick
    chicken goujon = chicken tenders
    gammon = ham
    cottage pie = shepherd pie
    stock cube = bouillon cube
    shepherds pie = shepherd pie
    self raising = self rising
    plain flour = all purpose flour
    strong flour = bread flour
    cornflour = cornstarch
    corn flour = cornstarch
    bicarbonate of soda = baking soda
    beetroot = beet
    sultana = raisin
    swede = rutabaga
    sweetcorn = sweet corn
    runner bean = green bean
    french bean = green bean
    gherkin = pickle
    single cream = light cream
    double cream = heavy cream
    candy floss = cotton candy
    treacle = molasses
    rapeseed oil = canola oil
    groundnut oil = peanut oil
    groundnut = peanut
    fizzy drink = soft drink
    ice lolly = popsicle
    mangetout = edible podded pea
    swiss roll = jelly roll
    bacon rasher = bacon
    white meat = light meat
    foo young = foo yung
    parmigiana = parmesan
    powdered milk = dry milk
    jello = gelatin
    meat lover pizza = meat pizza
    toast = toasted bread
    french toast = french toast
    melba toast = melba toast
    tinned = canned
    pitta = pita
    potato crisp = potato chip
    egg mayonnaise = egg salad
    tuna mayonnaise = tuna salad
    natural yogurt = plain yogurt
    brown bread = wheat bread
    chipolata = sausage
    haricot bean = navy bean
    cannellini bean = white bean
    borlotti bean = cranberry bean
    garden pea = green pea
    petit pois = green pea
    cos lettuce = romaine lettuce
    little gem = romaine lettuce
    satsuma = tangerine
    desiccated coconut = dried coconut
    demerara sugar = brown sugar
    muscovado sugar = brown sugar
    soured cream = sour cream
    full cream milk = whole milk
    candyfloss = cotton candy
    fairy cake = cupcake
    bread roll = roll
    macaroni cheese = macaroni and cheese
    spag bol = spaghetti with meat sauce
    spaghetti bolognaise = spaghetti with meat sauce
    bolognaise = bolognese
    fizzy water = carbonated water
    still water = bottled water
    black pudding = blood sausage
    linseed = flaxseed
    pine kernel = pine nut
    pork scratching = pork skin
    pork rind = pork skin
    monkey nut = peanut
    over easy egg = fried egg
    egg over easy = fried egg
    chicken strip = chicken tenders
    chicken finger = chicken tenders
    pb and j = peanut butter and jelly sandwich
    pbj = peanut butter and jelly sandwich
    sub sandwich = submarine sandwich
    hoagie = submarine sandwich
    oj = orange juice
    soda pop = soda
    prime rib = rib roast
    lasagne = lasagna
    whipping cream = heavy cream
    whole grain rice = brown rice
    pumpkin puree = canned pumpkin
    crumb of bread = bread crumb
    m and m = m and ms
    leg roast = leg roasted
    loin roast = loin roasted
    shoulder roast = shoulder roasted
    soda water = club soda
    fanta orange = orange soda
    fanta = orange soda
    kiwis = kiwifruit
    kiwi = kiwifruit
    butter bean = lima bean
    string bean = green bean
    hamburger patty = beef patty
    burger patty = beef patty
    mahi mahi = dolphinfish
    yuca = cassava
    spaghetti marinara = spaghetti with marinara sauce
    pasta marinara = pasta with marinara sauce
    unsalted butter = butter without salt
    chicken egg = egg
    hen egg = egg
    pak choy = bok choy
    omelette = omelet
    yoghurt = yogurt
    prawn = shrimp
    aubergine = eggplant
    courgette = zucchini
    rocket = arugula
    garbanzo bean = chickpea
    garbanzo = chickpea
    catsup = ketchup
    tomato ketchup = ketchup
    mayo = mayonnaise
    chile = chili
    chilli = chili
    bbq = barbecue
    barbeque = barbecue
    mac and cheese = macaroni and cheese
    mac n cheese = macaroni and cheese
    filet mignon = tenderloin steak
    coca cola = cola
    coke = cola
    porridge = oatmeal
    spring onion = scallion
    green onion = scallion
    icecream = ice cream
    baguette = french bread
    soymilk = soy milk
    wholemeal = whole wheat
    wholewheat = whole wheat
    milkshake = milk shake
    meatloaf = meat loaf
    pak choi = bok choy
    spaghetti bolognese = spaghetti with meat sauce
    capsicum = sweet pepper
    maize = corn
    snow pea = edible podded pea
    sugar snap pea = edible podded pea
    snap pea = edible podded pea
    black eyed pea = blackeyed pea
    portobello = portabella
    tater tot = potato tot
    soya = soy
    decaf = decaffeinated
    french loaf = french bread
    skimmed milk = skim milk
    semi skimmed milk = 2% milk
    full fat milk = whole milk
    icing sugar = powdered sugar
    caster sugar = granulated sugar
    whisky = whiskey
    bourbon = whiskey
    cafe latte = latte
    crab leg = crab
    crab meat = crab
    lobster tail = lobster
    lobster meat = lobster
    kettle corn = kettle popcorn
    sparkling water = carbonated water
    mineral water = bottled water
    monterey jack = monterey
    apple cider vinegar = cider vinegar
    white vinegar = distilled vinegar
    vegetable stock = vegetable broth
    california roll = california sushi roll
    collard green = collard
    flavour = flavor
    cole slaw = coleslaw
    spare rib = sparerib
    zest = peel
    tartare sauce = tartar sauce
    agave nectar = agave syrup
    egg fried rice = fried rice
    kebab = kabob
    bourguignon = burgundy
    gummy bear = gummy candy
    creme caramel = flan
    cheez its = cheez it
    cornish hen = cornish game hen
    mandarin orange = tangerine
    mandarin = tangerine
    candied yam = candied sweet potato
    nut mix = mixed nut
    baby back rib = pork rib
    back bacon = canadian bacon
    parma ham = prosciutto
    camomile = chamomile
    kiwi fruit = kiwifruit
    fig roll = fig bar cookie
    ginger biscuit = gingersnap
    ginger nut = gingersnap
    salad leaf = salad green
    porridge oat = oatmeal
    hot cocoa = hot chocolate
    flavoured = flavored
""")
"""Other words for the same; the right side is what FoodData Central says."""
for _meat in ("beef", "pork", "lamb", "veal", "chicken", "turkey"):
    SYNONYMS |= _phrases(f"""
        roast {_meat} = roasted {_meat}
        minced {_meat} = ground {_meat}
        {_meat} mince = ground {_meat}
    """)
SPICES = _words("cinnamon mustard ginger turmeric cumin coriander nutmeg paprika clove cardamom")
for _spice in sorted(SPICES):
    SYNONYMS |= _phrases(f"{_spice} powder = ground {_spice}")
SYNONYMS |= _phrases(
    "\n".join(
        f"{color} {name} = {color} chili pepper"
        for color in ("green", "red")
        for name in ("chili", "chilli", "chile")
    )
)
SYNONYMS |= _phrases(
    "\n".join(f"{name} crumble = {name} crisp" for name in ("apple", "cherry", "peach", "rhubarb"))
)
SYNONYMS |= _phrases(
    "\n".join(f"roast {name} = roasted {name}" for name in ("duck", "goose", "potato"))
)

MEANT = _phrases("""
    grilled cheese = grilled cheese sandwich
    hollandaise = hollandaise sauce
    sunny side up egg = fried egg
    sourdough = sourdough bread
    thousand island = thousand island dressing
    honey mustard = honey mustard dressing
    arugula salad = arugula
    egg without yolk = egg white
    egg no yolk = egg white
    crisp = potato chip
    mince = ground beef
    mash = mashed potato
    ranch = ranch dressing
""")
"""Whole queries that leave the food out."""

COMPOUNDS = _phrases("""
    hot dog = hotdog
    sweet potato = sweetpotato
    sweet potato fry = sweetpotato frenchfry
    frankfurter = hotdog
    french fry = frenchfry
    french fried = frenchfry
    fry = frenchfry
    hash brown = hashbrown
    egg roll = eggroll
    corn flake = cornflake
    cup cake = cupcake
    fat free = nonfat
    skim = nonfat
    low fat = lowfat
    hard boiled = boiled
    soft boiled = boiled
    dry roasted = roasted
    oil roasted = roasted
    oil popped = popped
    honey roasted = honeyroasted
    prune = dried plum
    caramelized = sauteed
    mint = spearmint
    part skim = partskim
    part skim milk = partskim
    taco bell = tacobell
    pizza hut = pizzahut
    dry heat = cooked
    moist heat = cooked
    pan fried = fried
    oven heated = heated
    soft drink = soda
    beef burger = hamburger
    cheese burger = cheeseburger
    burger = hamburger
    mixed green = salad green
    veggie = vegetable
    bell pepper = sweet pepper
    bell = sweet
    red wine vinegar = redwine vinegar
    non alcoholic = nonalcoholic
    alcohol free = nonalcoholic
    non dairy milk = nondairymilk
    non dairy = nondairy
    free range = organic
    grass fed = organic
    wild caught = organic
    farm raised = organic
    eggplant parmesan = eggplantparmesan
    half and half = halfandhalf
    ben and jerry = benjerry
    shredded wheat = shreddedwheat
    cheese filled = cheese
    caramel coated = caramel
    burger king = burgerking
    meat filled = meat
    chicken parmesan = chickenparmesan
    veal parmesan = vealparmesan
    dairy free = nondairy
    caffeine free = decaffeinated
    well done = done
    whole grain = wholegrain
    medium rare = rare
    ready to eat = ready
""")
"""Words that mean something else together than apart, made one; for comparing only."""

LINKS = _words(
    "with without in on from made for containing includes include prepared using to as by no not"
    " including excluding"
)
"""A segment's food stands before these."""
DENIALS = _words("without no not excluding")
"""What stands behind these is not there."""
LACKING = _table("""
    unsalted: salt
    unsweetened: sugar
    skinless peeled: skin
    eggless: egg
""")
"""What is not there where something is called so."""
SKINNED = _words("chicken turkey duck goose potato")
"""Foods of which records say whether the skin is there."""
INNATE = _words("lactose gluten dairy alcohol caffeine")
"""What is there unless a record says that it is not."""
MEASURES = _words(
    "bowl cup glass slice piece plate serving portion bag bottle can box handful pinch spoonful"
    " knob drizzle splash dash sprinkle squeeze dollop cupful jug carton punnet"
    " tablespoon teaspoon pint mug scoop loaf bunch half leaf clove stalk sprig head ear spear"
    " packet pack pot tub tin jar stick rasher dozen pound ounce gram kilo litre liter couple"
)
UNITS = MEASURES | _words("g kg ml cl dl l oz lb tbsp tsp pc pcs medium large small x") - _words(
    "leaf head stick ear"
)
"""May follow a number in front of a food."""
STOP = _words("a an the of de some my and or with without in on type style n s")
FILLERS = _words(
    "fresh organic homemade sliced diced chopped large small medium mini tasty hot cold"
    " baby pulled plate mixed slice piece boneless skinless firm rolled"
    " fillet filet grated shredded crumbled crispy rare done ripe seedless peeled wild halved"
    " pitted shelled deveined added toasty mushy leftover range half natural pure real classic"
    " thick thin cut size jumbo spicy mild sharp deli traditional delicious healthy best good nice"
    " minced beaten crushed cubed cored trimmed melted softened thawed rinsed packed washed divided"
    " quartered julienned torn taste garnish optional ready freshly finely thinly roughly coarsely"
    " lightly pearl giant unflavored premium gourmet artisan rustic homestyle luxury"
    " authentic farmhouse juicy fluffy warm chilled refrigerated strained unpeeled deseeded sieved"
    " shaved bite deboned scrubbed"
)
"""Words of a query a record need not have."""
FLAVORED = _words("flavor flavored")
"""Behind another word of a query they say nothing: "vanilla flavored yogurt"."""
NEEDED = _table("""
    rice: wild
    chocolate sauce: hot
""")
"""Of such words, those that with these foods name another."""
UNSAID = _table("""
    tomato: cherry plum vine heirloom beefsteak
    apple: gala fuji honeycrisp braeburn
    potato: yukon gold russet new waxy maris piper
    grape: red green black white
    cucumber: english persian
    bread: sandwich sliced
    egg: brown
    pomegranate: seed aril
    snapper: red
    frenchfry: curly crinkle shoestring
    tea: earl grey english breakfast
    coffee: black filter drip
    shrimp: king jumbo tiger
    salmon tuna swordfish halibut cod: steak
    naan: garlic
    lentil: red green brown puy
    chicken turkey duck: whole
    orange: blood navel valencia
    oil: extra virgin pressed
    brownie: chocolate fudge
    beer: lager pilsner draft draught
    yogurt: live set
    mustard: english
    rum: white dark gold spiced
    chocolate: bar
    apple onion: red green yellow white
    rice: basmati jasmine arborio
    pasta macaroni: elbow penne fusilli rigatoni farfalle ziti linguine fettuccine
    salt: sea kosher
    olive: kalamata
    lobster crab: american king
    mustard: dijon
    sausage: breakfast
    oat: steel cut rolled
    wing: buffalo
    jam jelly sorbet: strawberry raspberry blueberry blackberry grape apricot cherry peach orange
    sorbet chutney: mango lemon
""")
"""Varieties so alike that any record of the food will do."""
NOT_FOOD = _words(
    "food meal snack dish other unknown background dinner lunch breakfast ingredient item product"
    " plate table bowl cup glass fork spoon knife person animal toaster oven kitchen"
)
LIVE_ANIMALS = _words("bird cat dog horse sheep cow elephant bear zebra giraffe")
"""What classifiers call animals that nobody calls their meat by."""

DISHWARE = _words("bowl cup")
"""Ends of names of foods too, "burrito bowl", but for what is only"""
SERVED_IN_DISHES = _words(
    "soup coffee tea wine water milk fruit cereal salad beer juice sugar punch"
)
RAW = _words("raw uncooked unprepared unheated unbaked undiluted condensed purchased packaged")
STILL_RAW = _words("unprepared uncooked unheated unbaked")
"""Said of what is partly cooked too."""
COOKED = _words(
    "cooked boiled baked roasted grilled broiled braised stewed steamed poached sauteed"
    " microwaved simmered heated fried scrambled toasted rotisserie panbroiled"
    " charbroiled hardboiled"
)
SOFT_METHODS = _words(
    "cooked boiled baked roasted grilled broiled braised stewed steamed poached sauteed microwaved"
)
"""Asked for, any way of cooking without frying will do; the one asked for is preferred."""
STATES = RAW - {"condensed"} | SOFT_METHODS
"""Of a query; condensed milk is no state of milk."""
HARD_METHODS = _words("fried scrambled mashed smoked dried canned pickled breaded toasted frozen")

COOKED_BY_DEFAULT = _words(
    "chicken turkey beef pork lamb veal duck goose meat steak rib chop wing breast thigh"
    " drumstick bacon sausage fish salmon cod tilapia trout halibut haddock tuna shrimp crab"
    " lobster scallop mussel clam squid rice pasta spaghetti macaroni noodle quinoa couscous"
    " bulgur barley millet lentil bean chickpea potato sweetpotato yam oat oatmeal grit polenta"
    " edamame pumpkin brisket sirloin tenderloin loin hamburger patty meatball pancake lasagna"
    " soybean split quail rabbit venison bison octopus oyster"
)
RAW_BY_DEFAULT = _words(
    "apple apricot arugula avocado banana berry blackberry blueberry cantaloupe cherry cucumber"
    " celery carrot grape grapefruit kiwi kiwifruit lemon lettuce lime mango melon nectarine onion"
    " orange papaya peach pear pepper pineapple plum radish raspberry romaine spinach strawberry"
    " tangerine tomato watermelon garlic jalapeno broccoli cauliflower kale cabbage mushroom"
    " zucchini fig pomegranate scallion green cress"
)

EATEN_PLAIN = COOKED_BY_DEFAULT | RAW_BY_DEFAULT
EATEN_FRESH = RAW_BY_DEFAULT - {"pepper"}
"""Plants that are no spice unless it is said."""
CANS = _words("can tin")

CATEGORIES = frozenset(
    _phrases("""
    fast food =
    restaurant =
    beverage =
    beverage carbonated =
    alcoholic beverage =
    carbonated beverage =
    snack =
    cereal =
    cereal ready =
    spice =
    sweetener =
    dessert =
    side dish =
    school lunch =
    usda commodity =
    leavening agent =
    usda commodity food =
    entree =
    pizza chain =
""")
)
"""First segments that say where a food belongs and nothing about what it is."""
CUISINES = _words(
    "chinese latino mexican italian family style japanese greek indian thai korean american asian"
    " carbonated pizza chain"
)
KINDS = _words("fish nut seed crustacean mollusk shellfish berry herb")
"""X in "X, Y", where every Y is an X."""
NAMED_KINDS = _table("""
    cheese: american asiago blue brie camembert cheddar colby cotija feta fontina goat gorgonzola
    cheese: gouda gruyere halloumi havarti jack limburger manchego mozzarella muenster oaxaca paneer
    cheese: parmesan pecorino provolone ricotta romano roquefort swiss
    soup: chowder bisque ramen pho gazpacho borscht minestrone broth bouillon stock consomme gumbo
    soup: stew bouillabaisse
    sauce: salsa pesto hollandaise marinara alfredo teriyaki tzatziki
    cake: cupcake cheesecake gingerbread shortcake roll
    bread: pumpernickel naan pita focaccia cornbread chapati roti paratha
    cooky: brownie macaroon gingersnap shortbread
    candy: chocolate caramel fudge toffee marshmallow gumdrop nougat truffle lollipop
    candy: milk bar licorice jellybean brittle halavah praline butterscotch taffy
    wheat: bulgur
    bean: chickpea edamame
    coffee: espresso latte cappuccino mocha americano macchiato
    onion: scallion shallot
    cabbage: kimchi savoy choy
    lettuce: romaine iceberg butterhead boston bibb cos
    squash: zucchini acorn butternut pattypan
    pepper: jalapeno serrano habanero poblano cayenne ancho
    mushroom: portabella portobello shiitake enoki crimini maitake chanterelle morel
    melon: cantaloupe honeydew casaba watermelon
    pasta noodle: spaghetti macaroni penne fettuccine linguine soba udon ramen mein
    seaweed: nori kelp wakame spirulina agar laver
    pork: bacon ham prosciutto
    ham: prosciutto
    cream: halfandhalf
    tea: kombucha
    wine: champagne sherry
    egg: omelet
    chip: nacho
    game: venison deer elk bison rabbit boar
    bird: quail
    salad: coleslaw
    dressing: mayonnaise ranch caesar vinaigrette
    pudding: custard
    pastry: croissant
    oil: lard
    sugar: honey
    beer: ale lager
    dumpling: gyoza
    potato: frenchfry hashbrown
    pie: quiche
    roll: bun
    dip: guacamole hummus salsa tzatziki
""")
"""X in "X, Y" for the Y that are an X; of others the X is made with Y, or for it."""
KINDS_ALONE = _words("cheese bread cracker roll seaweed sausage noodle wine lettuce mushroom sauce")
"""X in "X, Y", where Y is an X if no record is headed by Y alone."""
VARIED = RAW_BY_DEFAULT | {"potato", "rice", "bean", "wine"}
"""Foods with varieties that have names of their own: "Apples, raw, granny smith"."""
SHAPES = _words(
    "stick strip leaf head heart wedge floret half cube chunk sprig spear pod thread"
    " stalk bulb clove cob ear"
)
"""May stand beside a fruit, vegetable or herb without making it another food."""
LEAVES = _words(
    "lettuce spinach cabbage kale arugula romaine endive basil mint cilantro coriander parsley bay"
    " rosemary thyme sage oregano dill tarragon chervil marjoram peppermint spearmint watercress"
)
"""Plants whose leaves are what is eaten."""
SHAPED = _words("cinnamon corn peach pickle artichoke palm")
POWDERED = _words("cocoa gelatin")
ALWAYS_SHAPES = _words("sprig spear pod thread floret stalk bulb")
"""No food but by the plant they are of."""
CLASS_ENDINGS = _words("sandwich pastry dessert casserole")
"""May follow a name that is no food by itself: a "Gyro sandwich" is a gyro."""
BRAND_WORDS = _words(
    "original classic bar candy cereal bite size brand drink cooky cup milk chocolate"
    " caramel regular square wafer"
)
"""May stand beside a brand without making it another product."""
BRANDS = _words(
    "heinz hellmann philadelphia kraft barilla quaker kellogg hershey lindt chobani fage dannon"
    " danone yoplait starbucks tropicana domino popeye kfc mcdonald wendy subway nestle campbell"
    " jif skippy tostito lay lays ruffle ragu prego tyson perdue hormel oscar mayer sabra silk"
    " alpro oatly pepperidge cadbury bertolli nabisco post cheerio general mill uncle bens walker"
    " benjerry burgerking frito birdseye hovis kerrygold lurpak kikkoman mccormick folger"
    " nescafe lipton tacobell pizzahut"
)
"""In front of a plain food they say who makes it; any record of the food will do."""
RESTAURANTS = _words(
    "burgerking domino popeye kfc mcdonald wendy subway starbucks tacobell pizzahut"
)
"""Of these, those whose food is a dish: "subway tuna" is no tuna."""
COOKED_KINDS = _words("fish crustacean mollusk shellfish game")
NAMES_OF_OTHERS = _words("goat blue american swiss acorn butternut boston milk bar")
"""Of these kinds, those that without the name of their kind are other things."""
NAMED_KINDS["candy"] -= {"milk", "bar"}
PARTS = _words(
    "breast thigh wing leg drumstick loin tenderloin rib chop fillet filet steak roast shank"
    " belly brisket sirloin chuck shoulder flank white yolk round cutlet ground sparerib"
    " backrib oxtail"
)
"""Names that need an animal, said or understood."""
BASES = _table("""
    steak roast: beef
    spray: oil
    stuffing: bread
    shake: milk
    consomme bouillon: broth bouillon beef
    flour: wheat
    brisket sirloin chuck flank: beef
    rib: beef pork
    sparerib backrib: pork
    oxtail: beef
    chop: pork lamb
    wing drumstick: chicken
    tenderloin loin: beef pork
    bacon ham: pork
    omelet: egg
    frenchfry hashbrown: potato
    hamburger cheeseburger: beef
    calamari: squid
    gyoza: pork dumpling
    ramen: bowl noodle soup
    gras: pate
    dressing: salad
    patty: beef
    bun: roll
    green: salad
    brownie: cooky
    falafel: chickpea
    dumpling: wonton
    cupcake: cake
    cake: cupcake
    kimchi: cabbage
    jam: jelly preserve
    vinaigrette: dressing salad
    hotdog: sandwich
    taco: soft hard original
    custard: egg
    benedict: egg
    hummus: chickpea
    guacamole: avocado
    lasagna: pasta
    jalapeno: pepper
    cornflake: cereal
    cola: soda
    salsa: sauce
    pesto: sauce
    sushi: roll
    macaroni: pasta
    spaghetti: pasta
    grit: corn
    gelatin: dessert
    shepherd: pie
    wrap: sandwich
    tzatziki: dip sauce
    gum: chewing
    oatmeal: oat cereal
""")
"""What goes without saying in a name."""
GENERIC_ENDINGS = _words(
    "meat kernel variety product item entree dinner fruit half root nut seed grain product"
)

PLAIN = _words(
    "plain regular nfs ns fluid all variety commercial commercially prepared edible portion meat"
    " only skin lean separable trimmed grade large flesh peel peeled mature seed ripe red green"
    " yellow whole enriched unenriched salt salted unsalted drained solid cooked raw fresh long"
    " grain medium broiler fryer style added milkfat solution ready serve eat drink type us canned"
    " bottled mixed species atlantic eastern table generic topping tap water not eaten fat"
    " no recipe home bottle deli slice sliced white boneless skinless bone choice select broiled"
    " roasted grilled as nsf family smooth chunky creamy black brown restaurant original soft hard"
    " lump thick piece hot single brewed wholegrain eye"
)
"""Words that hardly make a food another."""
BRAND_COMPANY = PLAIN | BRAND_WORDS
ODD = _words(
    "extra kippered brien alcoholic nonfat lowfat reduced diet light lite decaffeinated decaf"
    " canned frozen"
    " smoked fried breaded glazed flavored flavor chocolate vanilla strawberry gluten fortified"
    " imported zealand australian native alaska sweetened unsweetened unsalted caffeine"
    " coated stuffed creamed battered batter pickled candied sodium evaporated malted instant"
    " toasted sauce cheese gravy syrup overripe wild vegetarian turkey soy fat crumble puerto"
    " rican tofu acidophilus calcium"
    " lactose babyfood goat sheep buffalo welsh chinese scotch deli breast cake marinade school"
    " flour glutinous sprouted hopi apache navajo wheat bran nonalcoholic egg iced herbal bread"
    " protein spread omega cream blended no low liquid hydrogenated palm industrial fruit salad"
    " jerky garnish whipped sugar cereal rotisserie luncheon patty nugget corned cured vegetable"
    " pastrami nondairy loaf wholegrain roll minced ground seafood"
    " roma almond peanut walnut pecan cashew hazelnut coconut"
)
"""Words that make a food a variety nobody means who does not say so."""
NEVER = _words(
    "sheep buffalo rendered babyfood infant toddler imitation substitute meatless flour"
    " powder powdered seasoning"
    " extract giblet liver heart gizzard kidney brain tongue feet foot tail neck spleen lung"
    " pancreas thymus tripe buttermilk palm stock broth crumb starch dehydrated dried dry mix"
    " concentrate human condensed backfat formula supplement dough leaf stalk peel wing tenders"
    " dressing vinegar candy frosting cone cruller sandwich jerky chip cracker juice pie oil"
)
"""Words that make a food another one; refused where nobody asked for them."""
DRIED_KINDS = _words(
    "crumb yeast nut seed spice herb seaweed tea fruit raisin date prune cereal cocoa gelatin"
)

PRODUCTS = _words("chip cracker candy sandwich")
"""What a product with a name of its own may be: "PRINGLES, ORIGINAL POTATO CRISPS"."""
NEVER_OF = _table("""
    tomato: green yellow orange sauce paste puree
    onion: young green
    butter: fruit
    egg: white yolk
    rice: fried
    broccoli: chinese raab
    ham: minced
    pasta spaghetti macaroni: spinach corn
    chicken turkey pork lamb veal: ground
""")
"""The same for one food: a "green tomato" is no tomato."""
SEEDS = _words("sesame sunflower chia flax hemp poppy cumin mustard seed")
"""Plants whose seeds are what is eaten, or meant by their name."""
DRIED = _words("dried dry")
SCRAPS = (
    {"skin"},
    {"skin", "only"},
    {"skin", "breading"},
    {"separable", "fat"},
    {"back"},
)
"""Whole segments that leave of an animal or a plant what is not meant by its name."""
QUALIFIERS = _words("summer winter sweet ns")
"""May stand between a kind and its name: "Squash, summer, zucchini"."""
HARMLESS = PLAIN | PARTS | COOKED | GENERIC_ENDINGS | QUALIFIERS
"""Words beside a name that leave the food what it is."""
SIMPLE = EATEN_PLAIN | _words("pea corn milk coffee tea egg asparagus beet pepperoni")
SIMPLE -= _words("lasagna hamburger patty meatball pancake sausage oatmeal")
"""Foods that another one beside makes a dish: "rice with raisins"."""
DESCRIBING = _words(
    "whole plain black white brown red green yellow golden dark light sour sweetened unsweetened"
    " salted unsalted lean dry ground nonfat lowfat reduced regular long short decaf decaffeinated"
    " vanilla crunchy creamy smooth cultured sweet orange pink skinless boneless"
    " sodium salt extra virgin spice"
)
TRAILING = (FILLERS | FLAVORED | GENERIC_ENDINGS | HARD_METHODS | DESCRIBING) - _words(
    "nut seed orange salt thin"
)
"""Words of a query that may follow the noun."""
MADE_OF_OTHERS = _words("milk cream bun")
"""Never the kind of the food before them: "rice milk" is no rice."""
KINDS_BEHIND = _table("""
    bread pasta flour tortilla bagel cracker: wheat rye wholegrain
    chip: tortilla potato corn
""")
"""Kinds that may follow: "bread whole wheat"."""
NOUNS = _table("""
    white: egg
    green: beet mustard turnip collard salad dandelion chicory
    sour: whiskey
    half: and
    grain: whole
""")
"""Words that describe, but behind these are the food."""
ADJECTIVES = (
    FILLERS | FLAVORED | PLAIN | QUALIFIERS | DESCRIBING | {"beverage", "sweetener"}
) - _words("cherry water salt meat seed fruit mix orange")
"""Words that alone name no food."""

TYPICAL = _table("""
    milk: whole reduced
    rice: white long enriched
    bread: white
    egg: whole large
    yogurt: plain whole
    pasta spaghetti macaroni: enriched
    potato: baked boiled flesh
    coffee: brewed
    tea: brewed black hot
    chicken: roasted meat
    turkey beef lamb: roasted
    cheese: cheddar
    butter: salted stick
    lettuce: green romaine
    pepper: green red
    tomato: red ripe
    beer wine: regular
    cola: regular
    water: tap
    oil: vegetable
    corn: sweet yellow
    sugar: granulated white
    pizza: cheese regular
    pancake waffle doughnut bagel roll: plain
    croissant: butter
    icecream cream: vanilla
    bean: boiled
    tuna: light
    salmon: atlantic
    mayonnaise dressing: regular
    almond walnut peanut: english
    popcorn: air
    chip: potato plain salted
    gum: chewing
    banana: ripe
    chocolate: milk dark
    oatmeal: water
    soup: prepared ready
    hamburger cheeseburger: single
    taco: beef
    nacho: cheese
    burrito: bean
    juice: raw chilled
    vegetable: mixed
    flour: wheat white purpose
    pickle: dill
    pretzel: hard
    salad: mayonnaise
""")
ALTERNATIVES = _table("""
    grilled barbecue: charbroiled broiled
    pulled: barbecue shredded
    roasted: baked
    baked: roasted
    cherry: grape
    cooked: boiled baked roasted heated prepared
    baguette: french
    baby: young
    beef: steak meat
    napa: chinese
    crunchy: chunk chunky
    basmati jasmine: white
    salted: salt
    battered: fried coated breaded
    fried: sauteed
    mashed: mashed
    plain: regular
    whole: full
    jasmine: long
    basmati: long
    white: granulated
""")
ODD |= RAW_BY_DEFAULT - PLAIN

FOODS = (PARTS | COOKED_BY_DEFAULT | RAW_BY_DEFAULT | TYPICAL.keys()).union(*NAMED_KINDS.values())
"""Foods in their own right; other names may be bynames, of a brand or of a kind."""
COMPANY = FOODS | _words("raisin gravy sauce syrup butter margarine pea nut")
"""What makes a dish of a simple food, standing with it."""
CLASSES = _words(
    "cheese fish bread cracker roll cake cooky candy sauce soup muffin nut sausage chip"
)
"""Names of many foods that differ."""
BROAD = (
    CLASSES
    | KINDS
    | NAMED_KINDS.keys()
    | _words("juice flour milk syrup vinegar powder extract spice beverage snack")
)
"""Names that need another beside them: "Cheese, brie" is no cheese of any kind."""
KNOWN = frozenset().union(
    FOODS,
    BROAD,
    PLAIN,
    ODD,
    NEVER,
    RAW,
    COOKED,
    FILLERS,
    GENERIC_ENDINGS,
    ADJECTIVES,
    NOT_FOOD,
    MEASURES,
    HARD_METHODS,
    LIVE_ANIMALS,
    BRANDS,
    BRAND_WORDS,
    BASES.keys(),
    LEAVES,
    SHAPES,
    *BASES.values(),
    *SYNONYMS.keys(),
    *SYNONYMS.values(),
    *UNSAID.values(),
    *COMPOUNDS.keys(),
    *MEANT.keys(),
)
KNOWN |= _words("macaron mcmuffin")
NAMES = FOODS | BASES.keys() | BROAD | LEAVES
"""What surely is a food."""
SPELLINGS = sorted(NAMES)
"""What a word nobody knows may be a slip of."""
