"""A county that does not exist: towns, schools, classrooms, devices and platforms with invented names, the same for the same seed. Pure."""

from itertools import product
from random import Random

from campus_collector.domain.inventory import Classroom, Device, Inventory, InventorySchool, InventoryService, Timetable

TOWN_FIRST = "柳青松竹梅兰云霞石溪桥湖泉岭川原"
TOWN_LAST = ("河", "山", "林", "泉", "桥", "湾", "坡", "田")
VILLAGE_FIRST = ("东", "西", "南", "北", "前", "后", "上", "下", "大", "小", "新", "老")
VILLAGE_LAST = ("庄", "屯", "店", "堡", "沟", "寨", "坪", "洼", "铺", "口")
GRADES = ("一年级", "二年级", "三年级", "四年级", "五年级", "六年级")
JUNIOR_GRADES = ("七年级", "八年级", "九年级")
SERVICES = (
    InventoryService("smartedu-cn", "国家中小学智慧教育平台", "https://basic.smartedu.example/"),
    InventoryService("prefecture", "市教育云平台", "https://cloud.prefecture.example/"),
    InventoryService(
        "county", "县教育资源平台", "https://edu.county.example/", expect_status=(200,), expect_text="教育资源"
    ),
)
CARRIERS = ("甲通信公司", "乙通信公司", "丙通信公司")
UNITS = ("甲网络服务公司", "乙网络服务公司")
CONTACTS = ("王老师", "李老师", "张老师", "刘老师", "陈老师", "杨老师", "赵老师")
TIMETABLES = (
    Timetable(
        "",
        ("08:00-08:45", "08:55-09:40", "10:00-10:45", "10:55-11:40", "14:00-14:45", "14:55-15:40", "15:50-16:35"),
        ("2026-06-07/2026-06-09",),
    ),
)
SCHOOLS_PER_TOWN = 8.5
SEATS_OF_TOWNS = 0.75
CLASSROOMS_PER_SCHOOL = 40


def sample(schools: int = 100, seed: int = 1, classrooms_per_school: float = CLASSROOMS_PER_SCHOOL) -> Inventory:
    """A county: 100 schools make 12 towns, 9 town seats, 4 000 classrooms."""
    random = Random(seed)
    towns = max(1, round(schools / SCHOOLS_PER_TOWN))
    seats = max(1, round(towns * SEATS_OF_TOWNS))
    names = [first + last + "镇" for first, last in product(TOWN_FIRST, TOWN_LAST) if first != last]
    random.shuffle(names)
    while len(names) < towns:
        names += [f"{name[:-1]}{len(names)}镇" for name in names[: towns - len(names)]]
    invented_schools: list[InventorySchool] = []
    for number in range(schools):
        town = number % towns
        rank = number // towns
        seat = rank == 0 and town < seats
        invented_schools.append(
            InventorySchool(
                f"t{town + 1:02d}",
                names[town],
                f"s{number + 1:03d}",
                _school_name(names[town], rank, seat, random),
                seat,
                CARRIERS[town % len(CARRIERS)],
                f"JY-{2025 + number % 2}-{number + 1:04d}",
                1_000_000_000,
                UNITS[number % len(UNITS)],
                CONTACTS[number % len(CONTACTS)],
                f"000-0000{number + 1:04d}",
            )
        )
    sizes = _sizes(schools, classrooms_per_school, random)
    rooms = [room for school, size in zip(invented_schools, sizes, strict=True) for room in _classrooms(school, size)]
    devices = [device for school in invented_schools if school.town_seat for device in _devices(school)]
    return Inventory(tuple(invented_schools), tuple(rooms), tuple(devices), SERVICES, TIMETABLES)


def _school_name(town: str, rank: int, seat: bool, random: Random) -> str:
    base = town[:-1]
    if seat:
        return f"{base}镇中心小学"
    if rank <= 1:
        return f"{base}镇初级中学" if rank == 1 else f"{base}镇完全小学"
    pairs = [first + last for first, last in product(VILLAGE_FIRST, VILLAGE_LAST)]
    village = pairs[(rank * 37 + random.randrange(3) * 40) % len(pairs)]
    return f"{base}镇{village}{'' if rank < 60 else rank}小学"


def _sizes(schools: int, mean: float, random: Random) -> list[int]:
    """Numbers of classrooms that differ as schools do, with exactly the mean."""
    weights = [random.uniform(0.4, 1.6) for _ in range(schools)]
    total = max(schools, round(schools * mean))
    sizes = [max(1, int(weight * total / sum(weights))) for weight in weights]
    position = 0
    while sum(sizes) < total:
        sizes[position % schools] += 1
        position += 1
    while sum(sizes) > total:
        if sizes[position % schools] > 1:
            sizes[position % schools] -= 1
        position += 1
    return sizes


def _classrooms(school: InventorySchool, size: int) -> list[Classroom]:
    grades = JUNIOR_GRADES if "初级中学" in school.name else GRADES
    number = int(school.id[1:])
    classrooms = []
    for index in range(size):
        grade, in_grade = index % len(grades), index // len(grades) + 1
        host = f"10.{number // 200}.{number % 200}.{index % 230 + 10}"
        classrooms.append(
            Classroom(school.id, f"c{grade + 1}{in_grade:02d}", f"{grades[grade]}{in_grade}班", host, 5301)
        )
    return classrooms


def _devices(school: InventorySchool) -> list[Device]:
    number = int(school.id[1:])
    network = f"10.{number // 200}.{number % 200}"
    return [
        Device(school.id, "r1", "rec-1", "录播主机", "recorder-generic", f"{network}.240", True),
        Device(school.id, "r1", "cam-1", "教师摄像机", "stream-rtsp", f"{network}.241", True),
        Device(school.id, "r1", "ups-1", "不间断电源", "ups-generic", f"{network}.242", False),
    ]
